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

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/sdnotify"
	"github.com/algotrade/notifier/internal/term"
)

// Main runs the command line and exits.
func Main() {
	os.Exit(Run(signals(), os.Args[1:], base.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}

// signals returns a context that the first SIGINT or SIGTERM cancels. The second
// one exits.
func signals() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	c := make(chan os.Signal, 2)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	go func() {
		cancel(fmt.Errorf("%w: %s", base.ErrSignal, <-c))
		<-c
		os.Exit(base.ExitInterrupted)
	}()
	return ctx
}

// Run runs a command and returns its exit code.
func Run(ctx context.Context, args []string, io base.Streams) int {
	out := base.NewOutput(io.Out)
	io.Out = out
	g := &base.Globals{IO: io}
	cmd := newRoot(g)
	cmd.SetArgs(args)
	ran, err := cmd.ExecuteContextC(ctx)
	daemon := ran.Annotations[base.Daemon] != "" && !ran.Flags().Changed("help")
	if !daemon { // the console channel of a daemon repeats what failed
		err = out.Failed(err)
	}
	if err == nil {
		return base.ExitDone
	}
	code := base.ExitFailed
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		code = coded.ExitCode()
	}
	if code > base.ExitMisused && !daemon {
		code = base.ExitFailed
	}
	if text := term.VisibleLines(g.Suggest(g.Redactor.Redact(strings.TrimSpace(err.Error())))); text != "" {
		fmt.Fprintln(io.Err, "notifier: "+text)
		if daemon {
			sdnotify.Status("failed: " + text)
		}
	}
	if needed := rightsOf(ran, g.InUse); kafka.IsDenied(err) && needed != "" {
		fmt.Fprintf(io.Err, "%s needs %s\n", ran.CommandPath(), needed)
	}
	if code == base.ExitMisused {
		fmt.Fprintf(io.Err, "try '%s --help'\n", base.Self()+strings.TrimPrefix(ran.CommandPath(), ran.Root().Name()))
	}
	return code
}
