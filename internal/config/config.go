// Package config loads notifier.yaml: it composes the packages' own Configs,
// reads the file strictly, puts environment and flags over it, compiles the
// rules it names, and reports everything that is wrong together. Start reading
// at Load.
package config

import (
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/channel/registry"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/lag"
	"github.com/algotrade/notifier/internal/obs/admin"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Config is notifier.yaml.
type Config struct {
	Kafka  kafka.Config `yaml:"kafka"`
	Events event.Config `yaml:"events"`
	// Rules is the file with the rules, relative to this one.
	Rules    string           `yaml:"rules"`
	Channels registry.Set     `yaml:"channels"`
	Retry    dispatch.Retry   `yaml:"retry"`
	Breaker  dispatch.Breaker `yaml:"breaker"`
	DLQ      DLQ              `yaml:"dlq"`
	Lag      lag.Config       `yaml:"lag"`
	Tracing  tracing.Config   `yaml:"tracing"`
	HTTP     HTTP             `yaml:"http"`
	Log      Log              `yaml:"log"`
	Shutdown Shutdown         `yaml:"shutdown"`
}

// DLQ configures what becomes of dead letters.
type DLQ struct {
	// MaxReplays is after how many replays an entry is quarantined: sent again
	// only with --force.
	MaxReplays int `yaml:"max_replays"`
}

// HTTP configures the server for health and metrics.
type HTTP struct {
	Listen string `yaml:"listen"` // host:port, or unix:/path
	// Token lets other hosts change the log level; empty: only this one may.
	Token secret.String `yaml:"token"`
	// Hosts are names under which people open the page, beside this host's own.
	Hosts []string `yaml:"hosts"`
}

// minToken is the shortest token that takes too long to be guessed, in bytes.
const minToken = 16

// CheckYAML implements yamldoc.Checker.
func (h *HTTP) CheckYAML(at yamldoc.Cursor) {
	if err := admin.CheckListen(h.Listen); err != nil {
		at.Field("listen").Fault("%v", err)
	}
	if n := len(h.Token.Reveal()); n > 0 && n < minToken {
		at.Field("token").Fault("has %d bytes: at least %d, so that it is not guessed; openssl rand -hex 16 makes one", n, minToken)
	}
	for _, host := range h.Hosts {
		if !hostName.MatchString(host) {
			at.Field("hosts").Fault("%q is not a host's name, such as notifier.example.com, without a port", host)
		}
	}
}

// hostName is what names of hosts look like (RFC 1123, 2.1), also those with
// underscores, which clusters have.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$`)

// Log configures what is logged to standard error.
type Log struct {
	Level  Level  `yaml:"level"`  // debug, info, warn or error
	Format string `yaml:"format"` // auto: text on a terminal, else JSON; text; json
}

// Level is a level of the log that says what can be written.
type Level struct{ slog.Level }

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Level) UnmarshalText(text []byte) error {
	if err := l.Level.UnmarshalText(text); err != nil {
		return fmt.Errorf("%q is none of debug, info, warn and error", text)
	}
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (l Level) MarshalText() ([]byte, error) { return []byte(strings.ToLower(l.String())), nil }

// Shutdown configures how a stop goes.
type Shutdown struct {
	// Drain is how long a stop waits for deliveries in flight, less than
	// StopTimeout.
	Drain time.Duration `yaml:"drain"`
}

// StopTimeout is how long a stop may take as a whole. The supervisor's own
// time-out (TimeoutStopSec in the unit) has to be longer.
const StopTimeout = 30 * time.Second

// Defaults returns what holds where nothing is said.
func Defaults() Config {
	return Config{
		Kafka: kafka.Defaults(), Events: event.Defaults(), Rules: "rules.yaml",
		Retry: dispatch.DefaultRetry(), Breaker: dispatch.DefaultBreaker(),
		DLQ: DLQ{MaxReplays: 3}, Tracing: tracing.Defaults(),
		HTTP: HTTP{Listen: "127.0.0.1:9464"}, Log: Log{Format: "auto"}, Shutdown: Shutdown{Drain: 20 * time.Second},
	}
}

// CheckYAML implements yamldoc.Checker.
func (c *Config) CheckYAML(at yamldoc.Cursor) {
	c.Channels.Resolve(c.Retry, c.Breaker)
	if !at.Has("channels") {
		at.Field("channels").Fault("is missing: an alert has to go somewhere; write channels: {desk: {console: {}}}")
	}
	if c.Rules == "" {
		at.Field("rules").Fault("is empty: name the file with the rules")
	}
	if c.Log.Format != "auto" && c.Log.Format != "text" && c.Log.Format != "json" {
		at.Field("log").Field("format").Fault("%q is none of auto, text and json", c.Log.Format)
	}
	if c.DLQ.MaxReplays < 1 || c.DLQ.MaxReplays > 1000 {
		at.Field("dlq").Field("max_replays").Fault("%d is not between 1 and 1000", c.DLQ.MaxReplays)
	}
	// A drain that outlasts the stop would be cut off, and its work done again.
	if limit := StopTimeout - 5*time.Second; c.Shutdown.Drain < 0 || c.Shutdown.Drain > limit {
		at.Field("shutdown").Field("drain").Fault("%s is not between 0s and %s: a stop takes at most %s", c.Shutdown.Drain, limit, StopTimeout)
	}
}
