// Package cli is the command line: the root command, its flags, output formats
// and exit codes. Start reading at Main.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/algotrade/notifier/internal/sdnotify"
)

// Main runs the command that the process was started with and ends the process
// with its exit code.
func Main() {
	os.Exit(run(signals(), os.Args[1:], stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
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
