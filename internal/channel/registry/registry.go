// Package registry is the registry of channel kinds: how each is configured
// and built. A new kind is one package and one entry in kinds.
package registry

import (
	"io"
	"log/slog"
	"time"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/console"
	"github.com/algotrade/notifier/internal/channel/email"
	"github.com/algotrade/notifier/internal/channel/slack"
	"github.com/algotrade/notifier/internal/channel/webhook"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// With is what channels are built with.
type With struct {
	Console io.Writer // where console channels write
	// Redactor takes secrets out of what channels say; nil: one that knows the
	// secrets of the channel alone.
	Redactor *secret.Redactor
	// Logger hears of secrets that change while the daemon runs; nil: nobody does.
	Logger *slog.Logger
}

// kind is one kind of channel.
type kind struct {
	name     string
	defaults dispatch.Config
	decode   func(at yamldoc.Cursor) settings
}

// settings are a channel's own configuration.
type settings interface {
	build(name string, common dispatch.Config, with With) (channel.Channel, error)
	check(at yamldoc.Cursor, common dispatch.Config)
	value() any
}

// kinds are all there are. Channels for people have one outbox partition,
// hence one owner and exact pace and throttle across all instances.
var kinds = []kind{
	of("console", dispatch.Config{Concurrency: 1, Timeout: 10 * time.Second, Partitions: 1},
		func(c console.Config, name string, _ dispatch.Config, with With) (channel.Channel, error) {
			return console.New(c, name, with.Console)
		}),
	// Slack takes a message a second and channel, with bursts (docs.slack.dev, "Rate limits").
	of("slack", dispatch.Config{Concurrency: 1, Timeout: 15 * time.Second, Partitions: 1, Pace: dispatch.Pace{Rate: 1, Burst: 3}},
		func(c slack.Config, _ string, _ dispatch.Config, with With) (channel.Channel, error) {
			return slack.New(c, with.Redactor)
		}),
	// A mail server may take a minute for the last dot, which costs nobody else.
	of("email", dispatch.Config{Concurrency: 2, Timeout: 2 * time.Minute, Partitions: 1},
		func(c email.Config, _ string, _ dispatch.Config, with With) (channel.Channel, error) {
			return email.New(c, with.Redactor)
		}),
	of("webhook", dispatch.Config{Concurrency: 16, Timeout: 15 * time.Second, Partitions: 6},
		func(c webhook.Config, _ string, common dispatch.Config, with With) (channel.Channel, error) {
			return webhook.New(c, common.Concurrency, with.Redactor)
		}),
}

// of makes a kind of a package's Config and constructor.
func of[C any](name string, defaults dispatch.Config, build func(C, string, dispatch.Config, With) (channel.Channel, error)) kind {
	return kind{name: name, defaults: defaults, decode: func(at yamldoc.Cursor) settings {
		s := &typed[C]{make: build}
		at.Decode(&s.config)
		return s
	}}
}

type typed[C any] struct {
	config C
	make   func(C, string, dispatch.Config, With) (channel.Channel, error)
}

func (t *typed[C]) build(name string, common dispatch.Config, with With) (channel.Channel, error) {
	return t.make(t.config, name, common, with)
}

func (t *typed[C]) value() any { return t.config }

// check lets a kind look at what it shares with all channels.
func (t *typed[C]) check(at yamldoc.Cursor, common dispatch.Config) {
	if c, ok := any(&t.config).(interface {
		CheckCommon(at yamldoc.Cursor, common dispatch.Config)
	}); ok {
		c.CheckCommon(at, common)
	}
}
