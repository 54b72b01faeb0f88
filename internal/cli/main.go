// Package cli is the command line: the root command, its flags, output formats
// and exit codes. Start reading at Main.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/algotrade/notifier/internal/sdnotify"
)

// stdio are the streams a command works with: data on out, words on err.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// Main runs the command that the process was started with and ends the process
// with its exit code.
func Main() {
	os.Exit(run(signals(), os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr}))
}

// signals returns a context that the first interrupt or termination cancels.
// The second ends the process at once.
func signals() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	c := make(chan os.Signal, 2) // two: the second must not be lost while the first is handled
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	go func() {
		cancel(fmt.Errorf("%w: %s", errSignal, <-c))
		<-c
		os.Exit(exitInterrupted)
	}()
	return ctx
}

var errSignal = errors.New("stopped by a signal")

// Exit codes are a contract with scripts and with the systemd unit. 69, 77 and
// 78 come from sysexits.h and are the daemon's alone; see also internal/kafka.
const (
	exitDone        = 0
	exitFailed      = 1
	exitMisused     = 2
	exitConfig      = 78  // the configuration is wrong
	exitInterrupted = 130 // a second signal
)

// exitError carries an exit code. Its text may be empty: everything is said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }
func (e *exitError) ExitCode() int { return e.code }

func fail(code int, format string, args ...any) error {
	return &exitError{code, fmt.Errorf(format, args...)}
}

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, io stdio) int {
	g := &globals{io: io}
	cmd := newRoot(g)
	cmd.SetArgs(args)
	ran, err := cmd.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	code := exitFailed
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		code = coded.ExitCode()
	}
	if code > exitMisused && ran.Annotations[isDaemon] == "" {
		code = exitFailed
	}
	if text := visibleLines(g.redactor.Redact(strings.TrimSpace(err.Error()))); text != "" {
		fmt.Fprintln(io.err, "notifier: "+text)
		if ran.Annotations[isDaemon] != "" {
			sdnotify.Status("failed: " + text)
		}
	}
	if needed := rightsOf(ran, g.inUse); isDenied(err) && needed != "" {
		fmt.Fprintf(io.err, "%s needs %s\n", ran.CommandPath(), needed)
	}
	if code == exitMisused {
		fmt.Fprintf(io.err, "try '%s --help'\n", self())
	}
	return code
}

// self is the command as it was started, for the commands we suggest.
func self() string {
	exe, err := os.Executable()
	if err == nil && strings.Contains(exe, "go-build") && !strings.HasSuffix(exe, ".test") {
		return "go run ./cmd/notifier"
	}
	return "notifier"
}
