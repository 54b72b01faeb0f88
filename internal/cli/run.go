package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/sdnotify"
	"github.com/algotrade/notifier/internal/topics"
)

func newRun(g *base.Globals) *cobra.Command {
	var wait time.Duration
	var create bool
	var start string
	cmd := &cobra.Command{
		Use: "run", Short: "Run the daemon", Args: base.NoArgs, Annotations: map[string]string{base.Daemon: "yes"},
		Long: "Run the daemon: consume the topics, match, deliver. It checks first what it needs and says\n" +
			"in a sentence what is missing. SIGTERM stops it, after what is in flight; a second one at once.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			src := g.Source()
			if start != committed {
				src.Flags["kafka.start"] = start
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
			s := &setup{config: l, redactor: g.Redactor, log: log.Logger, level: log.Level, console: g.IO.Out}
			defer s.limitMemory(l.Kafka.Window.Memory())()
			err = s.prepare(cmd.Context(), preparation{wait: wait, create: create, start: start})
			if err != nil && cmd.Context().Err() != nil { // nothing has failed: we were asked to stop
				log.Info("stopped before it ran", "cause", context.Cause(cmd.Context()), "err", err)
				return nil
			}
			if err != nil {
				return err
			}
			err = serve(cmd.Context(), s, func(p *parts) {
				log.Info("running", "version", base.VersionText(), "config", l.File, "group", l.Kafka.Group, "brokers", l.Kafka.Brokers,
					"rules", len(l.Rules.Rules()), "channels", s.channelNames(), "http", p.server.Addr())
				context.AfterFunc(cmd.Context(), func() {
					log.Info("stopping", "cause", context.Cause(cmd.Context()), "drain", l.Shutdown.Drain)
				})
			})
			if err == nil {
				log.Info("stopped")
			}
			return err
		},
	}
	f := cmd.Flags()
	f.DurationVar(&wait, "wait", 0, "wait so long for brokers that are still starting")
	f.BoolVar(&create, "create-topics", false, "make our own topics, never the sources, where they are missing")
	f.StringVar(&start, "start", "", "set the group to begin `WHERE`, even if it has offsets: earliest, latest or a time; or committed, which accepts\noffsets that were set by hand; needs a group that nobody runs in")
	return cmd
}

// preparation says how to look at the cluster before anything starts.
type preparation struct {
	wait   time.Duration
	create bool
	start  string // not empty: a person's word about where to go on
}

// committed is the word for where the offsets stand.
const committed = "committed"

// prepare looks at the cluster until it has seen everything: while brokers
// restart one may answer and the next be gone, and that is waited for as well.
func (s *setup) prepare(ctx context.Context, p preparation) error {
	deadline := time.Now().Add(p.wait)
	sdnotify.Starting("looking at the cluster", p.wait+lookTime)
	for {
		err := s.look(ctx, p)
		var coded interface{ ExitCode() int }
		if err == nil || errors.As(err, &coded) {
			return err
		}
		// The brokers did not answer, or not what they do when all is well.
		p.wait = time.Until(deadline)
		if p.wait <= 0 || ctx.Err() != nil {
			return &kafka.Problem{Exit: kafka.ExitUnavailable, Text: err.Error()}
		}
		s.waiting(p.wait.Round(time.Second), err)
		select {
		case <-time.After(min(time.Second, p.wait)):
		case <-ctx.Done():
		}
	}
}

// lookTime is more than a look at a cluster that answers takes.
const lookTime = 30 * time.Second

func (s *setup) waiting(d time.Duration, err error) {
	s.log.Warn("waiting for the brokers", "for", d, "err", err)
	sdnotify.Starting("waiting for the brokers: "+s.redactor.Redact(err.Error()), d+lookTime)
}

// look looks at the cluster: reachable, topics there and fit, rights, and
// where the group begins. What may be over in a moment is an error without an
// exit code.
func (s *setup) look(ctx context.Context, p preparation) error {
	c := &s.config.Kafka
	opts, err := c.Options("preflight", slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return base.Fail(base.ExitConfig, "%w", err)
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	err = kafka.WaitReachable(ctx, cl, c, p.wait, func(err error) { s.waiting(p.wait, err) })
	if err != nil {
		return err
	}
	md, err := adm.BrokerMetadata(ctx)
	if err != nil {
		return fmt.Errorf("look at the cluster: %w", err)
	}
	s.cluster = md.Cluster
	if ahead, err := kafka.ClockOffset(ctx, cl); err == nil && kafka.ClockText(ahead) != "" {
		s.log.Warn("clock", "problem", kafka.ClockText(ahead))
	}
	if s.shapes, err = kafka.Want(ctx, adm, s.config.Layout()); err != nil {
		return err
	}
	if p.create {
		if err := s.createOwn(ctx, adm); err != nil {
			return err
		}
	}
	results, err := kafka.Preflight(ctx, adm, c, s.shapes)
	for _, r := range results {
		if r.Status == check.Warning {
			s.log.Warn("topic is not as it should be", "topic", r.Subject, "problem", r.Message, "do", r.Remedy)
		}
	}
	if err != nil {
		return err
	}
	if s.gone, err = s.findGone(ctx, adm); err != nil { // they wait, and nothing else depends on them
		s.log.Warn("cannot look for outboxes without a channel", "err", err)
	}
	return s.ensureStart(ctx, adm, p.start)
}

func (s *setup) createOwn(ctx context.Context, adm *kadm.Client) error {
	var own []kafka.Shape
	for _, shape := range s.shapes {
		if shape.Role != kafka.RoleSource {
			own = append(own, shape)
		}
	}
	missing, err := kafka.Missing(ctx, adm, own)
	if err != nil {
		return err
	}
	for _, shape := range missing {
		s.log.Info("creating topic", "topic", shape.Topic, "partitions", shape.Partitions, "replication", shape.Replication)
	}
	return kafka.Create(ctx, adm, missing)
}

// ensureStart sees to it that the groups have offsets to begin at; where is what
// a person said, empty: nothing.
func (s *setup) ensureStart(ctx context.Context, adm *kadm.Client, where string) error {
	c := s.config.Kafka
	start := consume.StartParams{
		Group: c.Group, Cluster: s.cluster, Topics: s.topics(kafka.RoleSource), Own: s.topics(kafka.RoleOutbox),
		Start: consume.Start{Latest: c.Start.Latest, At: c.Start.At}, Force: where != "" && where != committed,
	}
	err := consume.EnsureStart(ctx, adm, start)
	if err == nil && where != "" {
		own := start
		own.Group, own.Topics, own.Force = topics.OutboxGroup(c.Group), start.Own, true
		if where == committed {
			own.Start = consume.Start{}
		}
		err = consume.AcceptOffsets(ctx, adm, own)
	}
	if errors.Is(err, consume.ErrExpired) {
		return &base.ExitError{Code: base.ExitConfig, Err: err}
	}
	return err
}
