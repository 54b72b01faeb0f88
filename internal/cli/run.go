package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/channel/registry"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/daemon"
	"github.com/algotrade/notifier/internal/kafka"
)

func newRun(g *base.Globals) *cobra.Command {
	var begin daemon.Start
	cmd := &cobra.Command{
		Use: "run", Short: "Run the daemon", Args: base.NoArgs, Annotations: map[string]string{base.Daemon: "yes"},
		Long: "Run the daemon: consume the topics, match, deliver. It checks first what it needs and says\n" +
			"in a sentence what is missing. SIGTERM stops it, after what is in flight; a second one at once.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			src := g.Source()
			if begin.From != daemon.Committed {
				src.Flags["kafka.start"] = begin.From
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
			c.Start = begin
			d, err := daemon.New(c, daemon.Deps{Logger: log.Logger, Level: log.Level, Redactor: g.Redactor})
			if err != nil {
				return err
			}
			return exitOf(d.Run(cmd.Context()))
		},
	}
	f := cmd.Flags()
	f.DurationVar(&begin.Wait, "wait", 0, "wait so long for brokers that are still starting")
	f.BoolVar(&begin.CreateTopics, "create-topics", false, "make our own topics, never the sources, where they are missing")
	f.StringVar(&begin.From, "start", "", "set the group to begin `WHERE`, even if it has offsets: earliest, latest or a time; or committed, which accepts\noffsets that were set by hand; needs a group that nobody runs in")
	return cmd
}

// exitOf gives an error of a daemon its exit code.
func exitOf(err error) error {
	switch {
	case errors.Is(err, consume.ErrDenied):
		return &base.ExitError{Code: kafka.ExitDenied, Err: err}
	case errors.Is(err, consume.ErrFenced), errors.Is(err, consume.ErrExpired):
		return &base.ExitError{Code: base.ExitConfig, Err: err}
	}
	return err
}
