package daemon

import (
	"slices"
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
	"github.com/algotrade/notifier/internal/schemaregistry"
	"github.com/algotrade/notifier/internal/topics"
)

// Config configures a daemon. FromFile makes it from notifier.yaml.
type Config struct {
	Version        string // for log, metrics and HTTP server
	File           string // its file, for the log
	Kafka          kafka.Config
	Start          Start
	Events         event.Config
	SchemaRegistry schemaregistry.Config
	Checks         map[string]event.Check // of events, by topic
	Rules          *rule.Set
	Loaded         *config.Loaded // whose rules and schemas are watched and reloaded; nil: they stay
	Channels       []Channel
	// NotifyTrouble is the channel that is told when another one is in trouble; empty: none.
	NotifyTrouble string
	MaxReplays    int // after which a dead letter is quarantined
	Lag           lag.Config
	Tracing       tracing.Config
	HTTP          config.HTTP   // an empty Listen: no server
	Drain         time.Duration // how long shutdown waits for deliveries in flight
}

// Channel is one channel and its settings. The daemon closes a Channel that implements
// io.Closer.
type Channel struct {
	Name     string
	Channel  channel.Channel
	Dispatch dispatch.Config
	Driver   dispatch.Driver // nil: goroutines
}

// Start configures the start.
type Start struct {
	Wait         time.Duration // for brokers that are starting
	CreateTopics bool          // missing ones, except sources
	// From replaces the committed offsets: any text for Kafka.Start, or Committed; empty:
	// keep them.
	From string
	// Again has all alerts from there on sent, those too that were sent before.
	Again bool
}

// Committed is the Start.From that accepts committed offsets that were set by hand.
const Committed = "committed"

// FromFile returns the Config of a loaded configuration and builds its channels.
func FromFile(l *config.Loaded, version string, with registry.Deps) (Config, error) {
	c := Config{
		Version: version, File: l.File, Kafka: l.Kafka, Events: l.Events, Checks: l.Checks(), SchemaRegistry: l.SchemaRegistry, Rules: l.Rules, MaxReplays: l.DLQ.MaxReplays,
		NotifyTrouble: l.Notified(), Lag: l.Lag, Tracing: l.Tracing, HTTP: l.HTTP, Drain: l.Shutdown.Drain,
	}
	if l.File != "" {
		c.Loaded = l
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
	l := kafka.Layout{Group: c.Kafka.Group, Event: int(c.Events.MaxUnpacked)}
	for _, ch := range c.Channels {
		l.Channels = append(l.Channels, kafka.Channel{Name: ch.Name, Partitions: ch.Dispatch.Partitions, SingleOwner: ch.Dispatch.SingleOwner()})
	}
	return l
}

// singleOwner reports whether one instance owns a channel's whole outbox.
func (c *Config) singleOwner(channel string) bool {
	i := slices.IndexFunc(c.Channels, func(ch Channel) bool { return ch.Name == channel })
	return i >= 0 && c.Channels[i].Dispatch.SingleOwner()
}

// bundled returns which outboxes belong to one member as a whole: all but those of
// channels that are known to have several owners. A channel that only other members
// know may have a rate limit.
func (c *Config) bundled() func(topic string) bool {
	several := make(map[string]bool)
	for _, ch := range c.Channels {
		several[topics.Outbox(c.Kafka.Group, ch.Name)] = !ch.Dispatch.SingleOwner()
	}
	return func(topic string) bool { return !several[topic] }
}

// fallbacks returns the fallback channels, by the channels that have one.
func (c *Config) fallbacks() map[string]string {
	to := make(map[string]string)
	for _, ch := range c.Channels {
		if ch.Dispatch.Fallback.To != "" {
			to[ch.Name] = ch.Dispatch.Fallback.To
		}
	}
	return to
}

func (c *Config) channelNames() []string {
	var names []string
	for _, ch := range c.Channels {
		names = append(names, ch.Name)
	}
	return names
}
