// Command notifier turns events on Kafka into alerts for people and machines.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	_ "time/tzdata" // containers have no zone files; rules name time zones
)

// stdio are the streams a command works with: data on out, words on err.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	os.Exit(run(context.Background(), os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr}))
}

// Exit codes are a contract with scripts and with the systemd unit.
const (
	exitDone        = 0
	exitFailed      = 1
	exitMisused     = 2
	exitUnavailable = 69  // brokers unreachable or topics missing: a restart can help
	exitDenied      = 77  // not authorised
	exitConfig      = 78  // the configuration is wrong
	exitInterrupted = 130 // a second signal
)

// exitError carries an exit code. Its text may be empty: everything is said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func fail(code int, format string, args ...any) error {
	return &exitError{code, fmt.Errorf(format, args...)}
}

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, io stdio) int {
	cmd := newRoot(io)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	code := exitFailed
	var coded interface{ ExitCode() int }
	var exit *exitError
	switch {
	case errors.As(err, &exit):
		code = exit.code
	case errors.As(err, &coded):
		code = coded.ExitCode()
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(io.err, "notifier: "+strings.TrimSpace(text))
	}
	if code == exitMisused {
		fmt.Fprintf(io.err, "try '%s --help'\n", self())
	}
	return code
}

// self is the command as it was started, for the commands we suggest.
func self() string {
	exe, err := os.Executable()
	if err == nil && strings.Contains(exe, "go-build") {
		return "go run ./cmd/notifier"
	}
	return "notifier"
}
