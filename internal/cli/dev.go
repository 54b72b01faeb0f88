package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel/registry"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/daemon"
	"github.com/algotrade/notifier/internal/devbroker"
	"github.com/algotrade/notifier/internal/dispatch"
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
		Use: "dev", Short: "Try it out: everything in one process, without setup", Args: base.NoArgs, Annotations: map[string]string{base.Daemon: "yes"},
		Long: "Try it out: a Kafka broker on 127.0.0.1:9092, the topics, sample events, the rules, and alerts on\n" +
			"this terminal, all in one process. Any Kafka client can connect to the broker. It is for trials and\n" +
			"tests; its data is deleted at the end unless --data-dir is set. Ctrl-C ends it, and so does SIGHUP.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if d.rate < 0 || d.rate > 1e6 {
				return base.Misused("--rate is a number of events a second")
			}
			ctx := cmd.Context()
			if !signal.Ignored(syscall.SIGHUP) { // its terminal is gone: delete the data
				var stop context.CancelFunc
				ctx, stop = signal.NotifyContext(ctx, syscall.SIGHUP)
				defer stop()
			}
			return runDev(g, ctx, d)
		},
	}
	f := cmd.Flags()
	f.StringVar(&d.dataDir, "data-dir", "", "keep topics and offsets in `DIR`")
	f.Float64Var(&d.rate, "rate", sample.DefaultRate, "sample events a second")
	f.Uint64Var(&d.seed, "seed", 1, "seed of the sample events")
	f.BoolVar(&d.noSamples, "no-samples", false, "no sample events: send your own")
	f.BoolVar(&d.storm, "storm", false, "start with a halted venue: thousands of rejects within seconds, told as on Slack, a message a second")
	f.StringVar(&d.kafka, "kafka", devbroker.DefaultAddr, "address of the broker")
	f.StringVar(&d.http, "http", "", "address for health and metrics (default 127.0.0.1:9464)")
	return cmd
}

func runDev(g *base.Globals, ctx context.Context, d devFlags) error {
	src := g.Source()
	src.Shipped, src.SkipSystem = true, true
	src.Flags["http.listen"] = d.http
	if src.Flags["log.level"] == "" && os.Getenv("NOTIFIER_LOG_LEVEL") == "" {
		src.Flags["log.level"] = "error"
	}
	l, err := g.Load(src)
	if err != nil {
		return err
	}
	log := g.Logger(l)
	defer log.Flush()
	b, err := devbroker.Start(ctx, devbroker.Config{Addr: d.kafka, DataDir: d.dataDir, Logger: log.Logger})
	if err != nil {
		var taken *devbroker.PortTaken
		if errors.As(err, &taken) {
			err = fmt.Errorf("%w: %s dev --kafka %s", err, base.Self(), taken.Alternative())
		}
		return err
	}
	defer b.Close()
	if d.storm {
		likeSlack(l)
	}
	l.Kafka.Brokers = []string{b.Addr()}
	l.Kafka.InstanceID = ""
	l.Kafka.TLS, l.Kafka.SASL = kafka.TLS{}, kafka.SASL{}
	if err := createTopics(b, l.Layout().Shapes(1, nil)); err != nil {
		return err
	}
	screen := newScreen(g, b.Addr())
	defer daemon.LimitMemory(log.Logger, 0)() // this process also holds the broker's topics
	c, err := daemon.FromFile(l, base.VersionText(), registry.Deps{Console: screen.out, Redactor: g.Redactor, Logger: log.Logger})
	if err != nil {
		return err
	}
	return screen.show(ctx, c, daemon.Deps{Logger: log.Logger, Level: log.Level, Redactor: g.Redactor, DeadLettered: screen.deadLetter, Closed: screen.resolved, Reloaded: screen.reloaded}, d, l.RulesFile())
}

// likeSlack gives the terminal the rate limit and the digests of a Slack channel, so that a
// storm shows what people would get.
func likeSlack(l *config.Loaded) {
	for _, name := range l.Channels.Names() {
		if c := l.Channels.Get(name); c.Kind == "console" && c.Dispatch.Pace.Rate == 0 {
			c.Dispatch.Pace, c.Dispatch.Digest.On = dispatch.Pace{Rate: 1, Burst: 3}, true
			c.Dispatch.Partitions = len(alert.Severities())
		}
	}
}

func createTopics(b *devbroker.Broker, shapes []kafka.Shape) error {
	var list []devbroker.Topic
	for _, s := range shapes {
		list = append(list, devbroker.Topic{Name: s.Topic, Partitions: s.Partitions, Configs: s.Configs})
	}
	_, err := b.CreateTopics(list...)
	return err
}

// play sends the sample events to the broker until ctx ends.
func play(ctx context.Context, c *kafka.Config, log *slog.Logger, d devFlags) error {
	opts, err := c.Options("samples", log, nil)
	if err != nil {
		return err
	}
	cl, err := kgo.NewClient(append(opts, kgo.ProducerLinger(time.Millisecond))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	story := sample.NewStory
	if d.storm {
		story = sample.NewStorm
	}
	return sample.Play(ctx, story(d.seed, time.Now(), d.rate), func(r sample.Record) error {
		cl.Produce(ctx, &kgo.Record{Topic: string(r.Topic), Key: []byte(r.Key), Value: r.Value}, nil)
		return ctx.Err()
	})
}
