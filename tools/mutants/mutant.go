package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// mutant is one small change to the product, and the command that must fail
// under it.
type mutant struct {
	name    string
	file    string // relative to the repository
	changes []change
	command []string // arguments of go test
	long    bool     // runs only with all others, not in a part
}

// change replaces whole lines of a file.
type change struct{ old, new []string }

// The results of a mutant.
const (
	killed      = "killed"       // a test failed, as it must
	survived    = "SURVIVED"     // every test passed
	untested    = "NO TEST"      // no test has the name that -run asks for
	stale       = "DOES NOT FIT" // the old text is not in the file exactly once
	uncompiled  = "NO BUILD"     // the changed product does not compile
	overtime    = "OVERTIME"     // the command did not end in time
	unrunnable  = "NOT RUN"      // the command could not be run, or failed without a failing test
	testFailure = "--- FAIL: "
)

// parse reads the list. A mutant is a paragraph:
//
//	name
//	file internal/ingest/settle.go
//	test ./internal/ingest -run TestName
//	-	old line
//	+	new line
//
// Lines that begin with # are comments. The old lines of a change must be in
// the file exactly once, one below the other; "-" after "+" begins another
// change. A line "long" keeps the mutant out of the parts.
func parse(text string) ([]mutant, error) {
	var list []mutant
	names := make(map[string]bool)
	for _, paragraph := range strings.Split(text, "\n\n") {
		m, err := parseOne(paragraph)
		if err != nil {
			return nil, err
		}
		if m.name == "" {
			continue
		}
		if m.file == "" || len(m.command) == 0 || len(m.changes) == 0 || names[m.name] {
			return nil, fmt.Errorf("%s: needs a name of its own, a file, a test, and lines that change", m.name)
		}
		names[m.name] = true
		list = append(list, m)
	}
	return list, nil
}

func parseOne(paragraph string) (m mutant, err error) {
	var before, after []string
	end := func() {
		if len(before) > 0 && !slices.Equal(before, after) {
			m.changes = append(m.changes, change{before, after})
		}
		before, after = nil, nil
	}
	for _, line := range strings.Split(paragraph, "\n") {
		key, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "-"):
			if len(after) > 0 {
				end()
			}
			before = append(before, line[1:])
		case strings.HasPrefix(line, "+"):
			after = append(after, line[1:])
		case m.name == "":
			m.name = line
		case key == "file":
			m.file = rest
		case key == "test":
			m.command = strings.Fields(rest)
		case line == "long":
			m.long = true
		default:
			return m, fmt.Errorf("%s: %q is not understood", m.name, line)
		}
	}
	end()
	return m, nil
}

// apply returns the file's text with the changes made, or the old lines that
// are not in it exactly once.
func (m mutant) apply(text string) (changed, missing string) {
	lines := strings.Split(text, "\n")
	for _, c := range m.changes {
		var found []int
		for i := range lines {
			if end := i + len(c.old); end <= len(lines) && slices.Equal(lines[i:end], c.old) {
				found = append(found, i)
			}
		}
		if len(found) != 1 {
			return "", strings.Join(c.old, "\n")
		}
		lines = slices.Replace(lines, found[0], found[0]+len(c.old), c.new...)
	}
	return strings.Join(lines, "\n"), ""
}

// try makes the change to a copy in dir and runs the command.
func (m mutant) try(root, dir string, limit time.Duration) (result, output string) {
	path := filepath.Join(root, m.file)
	text, err := os.ReadFile(path)
	if err != nil {
		return stale, err.Error()
	}
	changed, missing := m.apply(string(text))
	if missing != "" {
		return stale, m.file + " does not have exactly once:\n" + missing
	}
	copied := filepath.Join(dir, filepath.Base(m.file))
	overlay := filepath.Join(dir, "overlay.json")
	list, err := json.Marshal(map[string]map[string]string{"Replace": {path: copied}})
	err = errors.Join(err, os.WriteFile(copied, []byte(changed), 0o600), os.WriteFile(overlay, list, 0o600))
	if err != nil {
		return unrunnable, err.Error()
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	args := append([]string{"test", "-overlay", overlay, "-vet=off", "-failfast", "-count=1"}, m.command...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the test is a child of go
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.CombinedOutput()
	return judge(string(out), err, ctx.Err()), string(out)
}

// judge says what a command's end means. Only a test that failed counts.
func judge(output string, err, late error) string {
	var exit *exec.ExitError
	switch {
	case late != nil || strings.Contains(output, "panic: test timed out"):
		return overtime
	case err == nil && strings.Contains(output, "[no tests to run]"):
		return untested
	case err == nil:
		return survived
	case !errors.As(err, &exit):
		return unrunnable
	case strings.Contains(output, "[build failed]") || strings.Contains(output, "[setup failed]"):
		return uncompiled
	case strings.Contains(output, testFailure):
		return killed
	}
	return unrunnable
}
