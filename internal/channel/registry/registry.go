// Package registry knows every channel kind: its configuration, its defaults
// and its constructor. A new kind is one package and one entry in kinds.
package registry

import (
	"io"
	"log/slog"
	"time"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/console"
	"github.com/algotrade/notifier/internal/channel/email"
	"github.com/algotrade/notifier/internal/channel/pagerduty"
	"github.com/algotrade/notifier/internal/channel/slack"
	"github.com/algotrade/notifier/internal/channel/templated"
	"github.com/algotrade/notifier/internal/channel/webhook"
	"github.com/algotrade/notifier/internal/digest"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Deps are the dependencies of all channels.
type Deps struct {
	Console io.Writer // output of console channels
	// Redactor removes secrets from errors, receipts and check results; nil:
	// one for the channel's own secrets.
	Redactor *secret.Redactor
	// Logger logs secrets that change while the daemon runs; nil: no log.
	Logger *slog.Logger
}

// kind is one kind of channel.
type kind struct {
	name     string
	defaults dispatch.Config
	config   any // the zero value of its settings
	decode   func(at yamldoc.Cursor) settings
}

// settings are a channel's own configuration.
type settings interface {
	build(name string, common dispatch.Config, deps Deps) (channel.Channel, error)
	check(at yamldoc.Cursor, common dispatch.Config)
	value() any
}

// kinds lists all kinds. Channels for people have one owner, so that rate limit, throttle
// and digests hold exactly across all instances: their outboxes have one partition, or
// with a rate limit or digests one for each severity.
var kinds = []kind{
	newKind("console", dispatch.Config{Concurrency: 1, Timeout: 10 * time.Second, Partitions: 1},
		func(c console.Config, name string, _ dispatch.Config, deps Deps) (channel.Channel, error) {
			return console.New(c, name, deps.Console)
		}),
	// Slack accepts one message per second and channel, with bursts (docs.slack.dev, "Rate limits").
	newKind("slack", dispatch.Config{Concurrency: 1, Timeout: 15 * time.Second, Partitions: 1, Pace: dispatch.Pace{Rate: 1, Burst: 3}, Digest: digest.Setting{On: true}},
		func(c slack.Config, _ string, _ dispatch.Config, deps Deps) (channel.Channel, error) {
			return slack.New(c, deps.Redactor)
		}),
	// A mail server may take a minute to answer the end of data.
	newKind("email", dispatch.Config{Concurrency: 2, Timeout: 2 * time.Minute, Partitions: 1, Digest: digest.Setting{On: true}},
		func(c email.Config, _ string, _ dispatch.Config, deps Deps) (channel.Channel, error) {
			return email.New(c, deps.Redactor)
		}),
	newKind("webhook", dispatch.Config{Concurrency: 16, Timeout: 15 * time.Second, Partitions: 6},
		func(c webhook.Config, _ string, common dispatch.Config, deps Deps) (channel.Channel, error) {
			return webhook.New(c, common.Concurrency, deps.Redactor)
		}),
	// An integration key takes about 120 events a minute (developer.pagerduty.com, "API Limits").
	newKind("pagerduty", dispatch.Config{Concurrency: 4, Timeout: 15 * time.Second, Partitions: 1, Pace: dispatch.Pace{Rate: 2, Burst: 10}},
		func(c pagerduty.Config, _ string, common dispatch.Config, deps Deps) (channel.Channel, error) {
			return pagerduty.New(c, common.Concurrency, deps.Redactor)
		}),
	// The rate limit is that of the preset.
	newKind("http", dispatch.Config{Concurrency: 4, Timeout: 15 * time.Second, Partitions: 1},
		func(c templated.Config, _ string, common dispatch.Config, deps Deps) (channel.Channel, error) {
			return templated.New(c, common.Concurrency, deps.Redactor)
		}),
}

// builder constructs a channel of a kind with the configuration C.
type builder[C any] func(config C, name string, common dispatch.Config, deps Deps) (channel.Channel, error)

func newKind[C any](name string, defaults dispatch.Config, build builder[C]) kind {
	return kind{name: name, defaults: defaults, config: *new(C), decode: func(at yamldoc.Cursor) settings {
		s := &typed[C]{builder: build}
		at.Decode(&s.config)
		return s
	}}
}

// typed implements settings for one kind.
type typed[C any] struct {
	config  C
	builder builder[C]
}

func (t *typed[C]) build(name string, common dispatch.Config, deps Deps) (channel.Channel, error) {
	return t.builder(t.config, name, common, deps)
}

func (t *typed[C]) value() any { return t.config }

// check lets a kind validate the common settings against its own.
func (t *typed[C]) check(at yamldoc.Cursor, common dispatch.Config) {
	if c, ok := any(&t.config).(interface {
		CheckCommon(at yamldoc.Cursor, common dispatch.Config)
	}); ok {
		c.CheckCommon(at, common)
	}
}
