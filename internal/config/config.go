// Package config loads notifier.yaml: it combines the Configs of the packages,
// decodes the file strictly, applies environment and flags, compiles the rules, and
// reports all faults together. Start reading at Load.
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
	"github.com/algotrade/notifier/internal/schemaregistry"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Config is notifier.yaml.
type Config struct {
	// Kafka is the connection to the cluster, and the membership in the group.
	Kafka kafka.Config `yaml:"kafka"`
	// Events says where an event has its id, type and time, by topic, and limits its size.
	Events event.Config `yaml:"events"`
	// SchemaRegistry is where the schemas of Avro and Protobuf events are.
	SchemaRegistry schemaregistry.Config `yaml:"schema_registry"`
	Samples        Samples               `yaml:"samples"`
	// Rules is the path of the rules file, relative to this file.
	Rules    string       `yaml:"rules"`
	Channels registry.Set `yaml:"channels"`
	// NotifyTrouble is the channel that is told when another one is suspended, behind or
	// near retention; off: none on purpose.
	NotifyTrouble string `yaml:"notify_trouble"`
	// Retry is the wait between attempts, and when a delivery is given up: the default of
	// all channels.
	Retry dispatch.Retry `yaml:"retry"`
	// Breaker stops attempts while all fail: the default of all channels.
	Breaker dispatch.Breaker `yaml:"breaker"`
	// DLQ is about dead letters.
	DLQ DLQ `yaml:"dlq"`
	// Lag names the consumer groups whose lag is measured besides our own.
	Lag lag.Config `yaml:"lag"`
	// Tracing exports the traces of alerts and dead letters.
	Tracing tracing.Config `yaml:"tracing"`
	// HTTP is the server for health and metrics.
	HTTP HTTP `yaml:"http"`
	// Log is what is logged to standard error.
	Log Log `yaml:"log"`
	// Shutdown is about the stop of the daemon.
	Shutdown Shutdown `yaml:"shutdown"`
}

// Off is the NotifyTrouble that tells nobody.
const Off = "off"

// Notified returns the channel that is told of trouble; empty: none.
func (c *Config) Notified() string {
	if c.NotifyTrouble == Off {
		return ""
	}
	return c.NotifyTrouble
}

// DLQ configures dead letters.
type DLQ struct {
	// MaxReplays is the number of replays after which an entry is quarantined and
	// replayed only with --force.
	MaxReplays int `yaml:"max_replays" range:"1..1000"`
}

// HTTP configures the server for health and metrics.
type HTTP struct {
	Listen string `yaml:"listen"` // Listen is the address, host:port or unix:/path.
	// Token authorizes other hosts to change the log level; empty: only this host.
	Token secret.String `yaml:"token"`
	// Hosts are accepted host names of requests, besides this host's own.
	Hosts []string `yaml:"hosts"`
}

const minToken = 16 // bytes

// CheckYAML implements yamldoc.Checker.
func (h *HTTP) CheckYAML(at yamldoc.Cursor) {
	if err := admin.CheckListen(h.Listen); err != nil {
		at.Field("listen").Fault("%v", err)
	}
	if n := len(h.Token.Reveal()); n > 0 && n < minToken {
		at.Field("token").Fault("has %d bytes, the minimum is %d: generate one with openssl rand -hex 16", n, minToken)
	}
	for _, host := range h.Hosts {
		if !hostName.MatchString(host) {
			at.Field("hosts").Fault("invalid host name %q: write it as notifier.example.com, without a port", host)
		}
	}
}

// hostName matches host names (RFC 1123, 2.1) and names with underscores.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$`)

// Log configures what is logged to standard error.
type Log struct {
	Level  Level  `yaml:"level"`                         // Level is the least severe one that is logged.
	Format string `yaml:"format" oneof:"auto,text,json"` // Format of the lines; auto: text on a terminal, else JSON.
}

// Level is a log level whose error lists the valid ones.
type Level struct{ slog.Level }

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Level) UnmarshalText(text []byte) error {
	if err := l.Level.UnmarshalText(text); err != nil {
		return fmt.Errorf("%q is not one of debug, info, warn and error", text)
	}
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (l Level) MarshalText() ([]byte, error) { return []byte(strings.ToLower(l.String())), nil }

// Shutdown configures shutdown.
type Shutdown struct {
	// Drain is how long shutdown waits for deliveries in flight. It is at most 5 s
	// less than the limit of the whole shutdown, 30 s.
	Drain time.Duration `yaml:"drain" range:"0s..25s: shutdown is limited to 30s"`
}

// StopTimeout limits the whole shutdown. The supervisor's time-out (TimeoutStopSec
// in the unit) must be longer.
const StopTimeout = 30 * time.Second

// Defaults returns the default configuration.
func Defaults() Config {
	return Config{
		Kafka: kafka.Defaults(), Events: event.Defaults(), SchemaRegistry: schemaregistry.Defaults(), Rules: "rules.yaml",
		Retry: dispatch.DefaultRetry(), Breaker: dispatch.DefaultBreaker(),
		DLQ: DLQ{MaxReplays: 3}, Tracing: tracing.Defaults(),
		HTTP: HTTP{Listen: "127.0.0.1:9464"}, Log: Log{Format: "auto"}, Shutdown: Shutdown{Drain: 20 * time.Second},
	}
}

// CheckYAML implements yamldoc.Checker.
func (c *Config) CheckYAML(at yamldoc.Cursor) {
	c.Channels.Resolve(c.Retry, c.Breaker)
	if !at.Has("channels") {
		at.Field("channels").Fault("is missing: write for example channels: {desk: {console: {}}}")
	}
	switch names := c.Channels.Names(); {
	case c.NotifyTrouble == "" && len(names) > 1:
		at.Field("channels").Warn("notify_trouble is not set: name the channel that is told when another one is down, behind or about to lose alerts, or write off")
	case c.Notified() != "" && c.Channels.Get(c.NotifyTrouble) == nil:
		at.Field("notify_trouble").FaultOf(yamldoc.UnknownName, "%s", c.Channels.Unknown(c.NotifyTrouble))
	}
	if c.Rules == "" {
		at.Field("rules").Fault("is empty: name the file with the rules")
	}
}
