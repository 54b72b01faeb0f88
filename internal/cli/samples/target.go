package samples

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/safefile"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// target is where a sample is written.
type target struct {
	file    string
	name    string // of the sample
	lines   bool   // the file has an event in each line, and the sample is appended
	before  []byte // what it has
	setting string // what to write in the file %s; empty: its samples include the file
}

var sampleName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// target chooses the file: --file, or the first directory or file with lines of the topic's
// samples, or a directory beside the configuration.
func (a *adding) target(l *config.Loaded, topic topics.Name, eventType string) (*target, error) {
	if a.name != "" && !sampleName.MatchString(a.name) {
		return nil, base.Misused("--name %q: use letters, digits, dots, hyphens and underscores", a.name)
	}
	paths := l.Samples[string(topic)]
	if a.file != "" {
		t, err := a.into(a.file)
		if err == nil && !includes(l, paths, a.file) {
			t.setting = setting(l, topic, relative(l, a.file))
		}
		return t, err
	}
	for _, path := range paths {
		at := beside(l, path)
		if info, err := os.Stat(at); err == nil && info.IsDir() || filepath.Ext(path) == "" {
			return a.in(at, eventType)
		}
		if hasLines(path) {
			return a.into(at)
		}
	}
	dir := filepath.Join("samples", string(topic))
	t, err := a.in(beside(l, dir), eventType)
	if err == nil {
		t.setting = setting(l, topic, dir)
	}
	return t, err
}

// beside returns a path that is relative to the configuration.
func beside(l *config.Loaded, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(l.File), path)
}

// relative is the reverse of beside.
func relative(l *config.Loaded, file string) string {
	dir, err := filepath.Abs(filepath.Dir(l.File))
	if err != nil {
		return file
	}
	full, err := filepath.Abs(file)
	if err != nil {
		return file
	}
	if rel, err := filepath.Rel(dir, full); err == nil {
		return rel
	}
	return full
}

// includes reports whether the configured samples include a file.
func includes(l *config.Loaded, paths []string, file string) bool {
	full := beside(l, relative(l, file))
	return slices.ContainsFunc(paths, func(path string) bool {
		at := filepath.Clean(beside(l, path))
		return at == filepath.Clean(full) || at == filepath.Dir(full)
	})
}

// setting says what has to be in the configuration, so that the samples of a topic include
// a path.
func setting(l *config.Loaded, topic topics.Name, path string) string {
	paths := l.Samples[string(topic)]
	list := fmt.Sprintf("%s: [%s]", topic, strings.Join(append(slices.Clone(paths), path), ", "))
	switch {
	case len(paths) > 0:
		return "write in %s under samples:\n  " + list
	case len(l.Samples) > 0:
		return "add to %s under samples, which replaces the built-in samples of the topic:\n  " + list
	}
	return "add to %s, which replaces the built-in samples of the topic:\n  samples: { " + list + " }"
}

func hasLines(path string) bool {
	return slices.Contains([]string{".jsonl", ".ndjson"}, filepath.Ext(path))
}

// in returns a new file of a directory: called as --name says, or as the event's type, with
// a number if there is one.
func (a *adding) in(dir, eventType string) (*target, error) {
	name := cmp.Or(a.name, eventType)
	if !sampleName.MatchString(name) {
		name = "sample"
	}
	for n := 1; ; n++ {
		numbered := name
		if n > 1 {
			numbered = fmt.Sprintf("%s-%d", name, n)
		}
		t, err := a.into(filepath.Join(dir, numbered+".json"))
		if a.name == "" && errors.Is(err, fs.ErrExist) {
			continue
		}
		return t, err
	}
}

// into returns a new file, or one with lines.
func (a *adding) into(file string) (*target, error) {
	t := &target{file: file, lines: hasLines(file), name: strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))}
	before, err := safefile.Read(file, yamldoc.MaxBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !t.lines:
		return t, nil
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	case err == nil && !t.lines:
		return nil, fmt.Errorf("%s: %w: use another --name or --file", file, fs.ErrExist)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", file, safefile.Reason(err))
	}
	if t.before = before; len(before) > 0 && before[len(before)-1] != '\n' {
		t.before = append(t.before, '\n')
	}
	t.name += fmt.Sprintf("-%d", bytes.Count(t.before, []byte("\n"))+1)
	return t, nil
}

// write writes the sample, as a document or as a line.
func (t *target) write(document, line []byte) error {
	err := os.MkdirAll(filepath.Dir(t.file), 0o750)
	var f *safefile.File
	if err == nil && t.lines {
		f, err = safefile.Replace(t.file)
	} else if err == nil {
		f, err = safefile.New(t.file)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", t.file, safefile.Reason(err))
	}
	defer f.Abandon()
	if t.lines {
		document = append(append(t.before, line...), '\n')
	}
	if _, err := f.Write(document); err != nil {
		return fmt.Errorf("cannot write %s: %w", t.file, safefile.Reason(err))
	}
	return f.Commit()
}
