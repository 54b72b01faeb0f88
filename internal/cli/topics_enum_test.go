package cli

import (
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/topics"
)

// names are the topics as a program prints them, one a line.
func names() string {
	var b strings.Builder
	for _, n := range topics.All() {
		b.WriteString(string(n) + "\n")
	}
	return b.String()
}

// put writes a file of a test's program.
func put(t testing.TB, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// prints runs a program in dir and holds what it prints.
func prints(t *testing.T, dir, want, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != want {
		t.Errorf("%s %s: %v\n%s\nwant\n%s", program, strings.Join(args, " "), err, out, want)
	}
}

// TestTheEnvFileIsReadBySh: and by docker and systemd, which take every line as
// it stands and know neither quotes nor export.
func TestTheEnvFileIsReadBySh(t *testing.T) {
	dir, text := t.TempDir(), enums["env"]("1.2.3")
	put(t, dir, "topics.env", text)
	prints(t, dir, names(), "sh", "-euc", `. ./topics.env
printf '%s\n' "$KAFKA_TOPIC_TRADE_EXECUTIONS" "$KAFKA_TOPIC_PORTFOLIO_UPDATES" "$KAFKA_TOPIC_FORWARD_TEST_EVENTS"`)
	asIs := regexp.MustCompile(`^(#.*|[A-Z][A-Z0-9_]*=[A-Za-z0-9._-]+)$`)
	for line := range strings.Lines(text) {
		if !asIs.MatchString(strings.TrimSuffix(line, "\n")) {
			t.Errorf("%q is not taken as it stands", line)
		}
	}
}

func TestTheGoConstantsCompile(t *testing.T) {
	text := enums["go"]("1.2.3")
	if formatted, err := format.Source([]byte(text)); err != nil || string(formatted) != text {
		t.Errorf("not as gofmt writes it: %v", err)
	}
	if !regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`).MatchString(text) {
		t.Error("tools do not see that it is generated")
	}
	dir := t.TempDir()
	put(t, dir, "go.mod", "module example.com/service\n\ngo 1.21\n")
	put(t, dir, "topics/topics.go", text)
	put(t, dir, "main.go", `package main

import (
	"fmt"

	"example.com/service/topics"
)

func main() {
	var each topics.Topic = topics.TradeExecutions
	fmt.Printf("%s\n%s\n%s\n", each, topics.PortfolioUpdates, topics.ForwardTestEvents)
	if all := topics.All(); len(all) != 3 || all[0] != each {
		panic(all)
	}
}
`)
	prints(t, dir, "", "go", "vet", "./...")
	prints(t, dir, names(), "go", "run", ".")
}
