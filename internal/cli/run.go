package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/channel/registry"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/daemon"
	"github.com/algotrade/notifier/internal/kafka"
)

func newRun(g *base.Globals) *cobra.Command {
	var start daemon.Start
	cmd := &cobra.Command{
		Use: "run", Short: "Run the daemon", Args: base.NoArgs, Annotations: map[string]string{base.Daemon: "yes"},
		Long: "Run the daemon: consume events, match them against the rules, deliver alerts. It checks brokers,\n" +
			"topics and rights first. SIGTERM stops it once deliveries in flight are settled; a second one at once.\n" +
			"A changed rules file is applied within seconds, or at once on SIGHUP, if it has no errors;\n" +
			"a changed notifier.yaml when the daemon is restarted.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if start.Again && (start.From == "" || start.From == daemon.Committed || start.From == "latest") {
				return base.Misused("--again needs --start earliest or --start TIME: it evaluates the events from there on again, also those that were handled before")
			}
			hangup := make(chan os.Signal, 1)
			signal.Notify(hangup, syscall.SIGHUP)
			defer signal.Stop(hangup)
			src := g.Source()
			if start.From != daemon.Committed {
				src.Flags["kafka.start"] = start.From
			}
			l, warnings, err := g.LoadQuietly(src)
			if err != nil {
				return err
			}
			log := g.Logger(l)
			defer log.Flush()
			if g.ConfigFile == "" {
				log.Info("configuration found", "file", l.File)
			}
			for _, w := range warnings {
				log.Warn("configuration", "warning", w.String())
			}
			defer daemon.LimitMemory(log.Logger, l.Kafka.Window.Memory())()
			c, err := daemon.FromFile(l, base.VersionText(), registry.Deps{Console: g.IO.Out, Redactor: g.Redactor, Logger: log.Logger})
			if err != nil {
				return err
			}
			c.Start = start
			d, err := daemon.New(c, daemon.Deps{Logger: log.Logger, Level: log.Level, Redactor: g.Redactor})
			if err != nil {
				return err
			}
			go reloadOn(cmd.Context(), hangup, d)
			return exitOf(d.Run(cmd.Context()))
		},
	}
	f := cmd.Flags()
	f.DurationVar(&start.Wait, "wait", 0, "how long to wait for brokers that are starting")
	f.BoolVar(&start.CreateTopics, "create-topics", false, "create missing topics of the notifier, never the sources")
	f.StringVar(&start.From, "start", "", "reset the group's offsets to `WHERE`: earliest, latest or a time; or committed, which accepts offsets that were set by hand; no notifier may be running in the group")
	f.BoolVar(&start.Again, "again", false, "with --start earliest or a time: evaluate the events from there on again, with the rules as they are now; alerts that are in their outboxes are not sent again. Without it, events that were handled before raise no alert, not even of a new rule")
	return cmd
}

// reloadOn has the daemon reload its rules on each signal until ctx ends.
func reloadOn(ctx context.Context, hangup <-chan os.Signal, d *daemon.Daemon) {
	for {
		select {
		case <-hangup:
			d.Reload()
		case <-ctx.Done():
			return
		}
	}
}

// exitOf adds the exit code to a daemon's error.
func exitOf(err error) error {
	switch {
	case errors.Is(err, consume.ErrDenied):
		return &base.ExitError{Code: kafka.ExitDenied, Err: err}
	case errors.Is(err, consume.ErrFenced), errors.Is(err, consume.ErrExpired):
		return &base.ExitError{Code: base.ExitConfig, Err: err}
	}
	return err
}
