package daemon

import (
	"time"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/registry"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/lag"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/rule"
)

// Config says what a daemon does. The command makes it from notifier.yaml with
// FromFile; tests and benchmarks write it down.
type Config struct {
	Version    string // for the log, the metrics and the HTTP server
	File       string // where it is from, for the log
	Kafka      kafka.Config
	Start      Start
	Events     event.Config
	Rules      *rule.Set
	Channels   []Channel
	MaxReplays int // after which a dead letter is quarantined
	Lag        lag.Config
	Tracing    tracing.Config
	HTTP       config.HTTP   // an empty Listen: no server
	Drain      time.Duration // how long a stop waits for work in flight
}

// Channel is one channel and how its alerts are sent. Channel is closed by the
// daemon if it has a method Close.
type Channel struct {
	Name     string
	Channel  channel.Channel
	Dispatch dispatch.Config
	Driver   dispatch.Driver // nil: goroutines
}

// Start says how to look at the cluster before anything runs.
type Start struct {
	Wait         time.Duration // for brokers that do not answer yet
	CreateTopics bool          // our own, never the sources, where they are missing
	// From is empty, or what an operator wants instead of the committed offsets:
	// any text for Kafka.Start, or Committed.
	From string
}

// Committed is Start.From for the offsets that are committed, also where they
// were set by hand.
const Committed = "committed"

// FromFile returns the Config of a loaded configuration, with its channels built.
func FromFile(l *config.Loaded, version string, with registry.Deps) (Config, error) {
	c := Config{
		Version: version, File: l.File, Kafka: l.Kafka, Events: l.Events, Rules: l.Rules, MaxReplays: l.DLQ.MaxReplays,
		Lag: l.Lag, Tracing: l.Tracing, HTTP: l.HTTP, Drain: l.Shutdown.Drain,
	}
	for _, name := range l.Channels.Names() {
		settings := l.Channels.Get(name)
		ch, err := settings.Build(name, with)
		if err != nil {
			return Config{}, err
		}
		c.Channels = append(c.Channels, Channel{Name: name, Channel: ch, Dispatch: settings.Dispatch})
	}
	return c, nil
}

func (c *Config) layout() kafka.Layout {
	l := kafka.Layout{Group: c.Kafka.Group}
	for _, ch := range c.Channels {
		l.Channels = append(l.Channels, kafka.Channel{Name: ch.Name, Partitions: ch.Dispatch.Partitions})
	}
	return l
}

func (c *Config) channelNames() []string {
	var names []string
	for _, ch := range c.Channels {
		names = append(names, ch.Name)
	}
	return names
}
