package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/channel/registry"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/daemon"
	"github.com/algotrade/notifier/internal/devbroker"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/sample"
)

// devFlags are the flags of dev.
type devFlags struct {
	dataDir, kafka, http string
	rate                 float64
	seed                 uint64
	noSamples, storm     bool
}

func newDev(g *base.Globals) *cobra.Command {
	var d devFlags
	cmd := &cobra.Command{
		Use: "dev", Short: "Try it out: everything in one process, nothing to set up", Args: base.NoArgs, Annotations: map[string]string{base.Daemon: "yes"},
		Long: "Try it out: a Kafka broker on 127.0.0.1:9092, the topics, a story of sample events, the rules, and\n" +
			"alerts on this terminal, all in one process. Any Kafka client can talk to the broker. It is for\n" +
			"trying out and for tests; its data is gone afterwards unless --data-dir says where to keep it.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if d.rate < 0 || d.rate > 1e6 {
				return base.Misused("--rate is a number of events a second")
			}
			return runDev(g, cmd.Context(), d)
		},
	}
	f := cmd.Flags()
	f.StringVar(&d.dataDir, "data-dir", "", "keep topics and offsets in `DIR`")
	f.Float64Var(&d.rate, "rate", sample.DefaultRate, "sample events a second")
	f.Uint64Var(&d.seed, "seed", 1, "which story is told")
	f.BoolVar(&d.noSamples, "no-samples", false, "no sample events: send your own")
	f.BoolVar(&d.storm, "storm", false, "begin with a halted venue: thousands of rejects within seconds")
	f.StringVar(&d.kafka, "kafka", devbroker.DefaultAddr, "where the broker listens")
	f.StringVar(&d.http, "http", "", "where health and metrics are served (default 127.0.0.1:9464)")
	return cmd
}

func runDev(g *base.Globals, ctx context.Context, d devFlags) error {
	src := g.Source()
	src.Shipped, src.SkipSystem = true, true
	src.Flags["http.listen"] = d.http
	if src.Flags["log.level"] == "" && os.Getenv("NOTIFIER_LOG_LEVEL") == "" {
		src.Flags["log.level"] = "error" // what matters is on the screen
	}
	l, err := g.Load(src)
	if err != nil {
		return err
	}
	log := g.Logger(l)
	defer log.Flush()
	b, err := devbroker.Start(ctx, devbroker.Config{Addr: d.kafka, DataDir: d.dataDir, Logger: log.Logger})
	if err != nil {
		return devStart(err)
	}
	defer b.Close()
	l.Kafka.Brokers = []string{b.Addr()}
	l.Kafka.InstanceID = ""
	l.Kafka.TLS, l.Kafka.SASL = kafka.TLS{}, kafka.SASL{}
	if err := createTopics(b, l.Layout().Shapes(1, nil)); err != nil {
		return err
	}
	screen := newScreen(g, b.Addr())
	defer daemon.LimitMemory(log.Logger, 0)() // the broker's topics are in this process too
	c, err := daemon.FromFile(l, base.VersionText(), registry.Deps{Console: screen.out, Redactor: g.Redactor, Logger: log.Logger})
	if err != nil {
		return err
	}
	return screen.show(ctx, c, daemon.Deps{Logger: log.Logger, Level: log.Level, Redactor: g.Redactor, DeadLettered: screen.deadLetter, Closed: screen.resolved}, d, l.RulesFile())
}

// devStart words what a person can act on.
func devStart(err error) error {
	var taken *devbroker.PortTaken
	if errors.As(err, &taken) {
		return fmt.Errorf("%w: %s dev --kafka %s", err, base.Self(), taken.Alternative())
	}
	return err
}

func createTopics(b *devbroker.Broker, shapes []kafka.Shape) error {
	var list []devbroker.Topic
	for _, s := range shapes {
		list = append(list, devbroker.Topic{Name: s.Topic, Partitions: s.Partitions, Configs: s.Configs})
	}
	_, err := b.CreateTopics(list...)
	return err
}

// tell plays the story into the broker until ctx ends.
func tell(ctx context.Context, c *kafka.Config, log *slog.Logger, d devFlags) error {
	opts, err := c.Options("samples", log, nil)
	if err != nil {
		return err
	}
	cl, err := kgo.NewClient(append(opts, kgo.ProducerLinger(time.Millisecond))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	begin := sample.NewStory
	if d.storm {
		begin = sample.NewStorm
	}
	return sample.Play(ctx, begin(d.seed, time.Now(), d.rate), func(r sample.Record) error {
		cl.Produce(ctx, &kgo.Record{Topic: string(r.Topic), Key: []byte(r.Key), Value: r.Value}, nil)
		return ctx.Err()
	})
}
