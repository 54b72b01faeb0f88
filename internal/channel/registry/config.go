package registry

import (
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Config is one configured channel: its kind's settings, and what every
// channel has.
type Config struct {
	Kind     string
	Dispatch dispatch.Config

	settings settings
}

// Settings returns the kind's own configuration, for showing it.
func (c *Config) Settings() any { return c.settings.value() }

// Destination is where the channel sends to, as far as it may be shown.
func (c *Config) Destination() string {
	if c.settings == nil { // it has a fault
		return ""
	}
	if d, ok := c.settings.value().(interface{ Destination() string }); ok {
		return d.Destination()
	}
	return ""
}

// Build makes the channel.
func (c *Config) Build(name string, with With) (channel.Channel, error) {
	if with.Redactor == nil {
		with.Redactor = secret.NewRedactor(c.Settings())
	}
	ch, err := c.settings.build(name, c.Dispatch, with)
	if err != nil {
		return nil, fmt.Errorf("channel %s: %s", name, with.Redactor.Redact(err.Error()))
	}
	if l, ok := ch.(interface{ LogTo(*slog.Logger) }); ok && with.Logger != nil {
		l.LogTo(with.Logger.With("component", "dispatch", "channel", name))
	}
	return redacting{ch, with.Redactor}, nil
}

// Set is the configured channels by name. Decoding keeps the place only;
// Resolve reads the channels once the defaults are known.
type Set struct {
	byName map[string]*Config
	at     yamldoc.Cursor
	seen   bool
}

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (s *Set) UnmarshalYAMLDoc(at yamldoc.Cursor) { s.at, s.seen = at, true }

// Names returns the channels' names in order.
func (s *Set) Names() []string { return slices.Sorted(maps.Keys(s.byName)) }

// Get returns the channel called name, nil when there is none.
func (s *Set) Get(name string) *Config { return s.byName[name] }

var channelName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// Resolve reads the channels. What a channel does not say about retries and
// the breaker holds from the defaults. One with a fault keeps its name, so that
// whatever names it is not at fault too.
func (s *Set) Resolve(retry dispatch.Retry, breaker dispatch.Breaker) {
	s.byName = make(map[string]*Config)
	if !s.seen {
		return
	}
	for _, k := range s.at.Keys() {
		if !channelName.MatchString(k.Name) || len(k.Name) > 64 {
			k.At.Fault("is not a channel's name: small letters, digits and single hyphens, 64 at most")
			continue
		}
		s.byName[k.Name] = decode(k.Value, retry, breaker)
	}
	if len(s.at.Keys()) == 0 {
		s.at.Fault("names no channel")
	}
}

func decode(at yamldoc.Cursor, retry dispatch.Retry, breaker dispatch.Breaker) *Config {
	keys := at.Keys()
	c := &Config{}
	for _, k := range keys {
		i := slices.IndexFunc(kinds, func(kind kind) bool { return kind.name == k.Name })
		switch {
		case i < 0:
		case c.settings != nil:
			k.At.Fault("is a second kind beside %s: a channel has one", c.Kind)
		default:
			c.Kind, c.Dispatch = kinds[i].name, kinds[i].defaults
			c.settings = kinds[i].decode(k.Value)
		}
	}
	if c.settings == nil {
		c.common(keys)
		at.Fault("has no kind: write one of %s", strings.Join(kindNames(), ", "))
		return c
	}
	c.Dispatch.Retry, c.Dispatch.Breaker = retry, breaker
	if c.Dispatch.Ambiguous == "" {
		c.Dispatch.Ambiguous = dispatch.Resend
	}
	c.common(keys)
	c.Dispatch.CheckYAML(at)
	c.settings.check(at, c.Dispatch)
	return c
}

// common decodes the common keys and reports the others.
func (c *Config) common(keys []yamldoc.Key) {
	known := map[string]any{
		"concurrency": &c.Dispatch.Concurrency, "pace": &c.Dispatch.Pace, "retry": &c.Dispatch.Retry, "breaker": &c.Dispatch.Breaker,
		"timeout": &c.Dispatch.Timeout, "ambiguous": &c.Dispatch.Ambiguous, "partitions": &c.Dispatch.Partitions,
	}
	for _, k := range keys {
		switch into, ok := known[k.Name]; {
		case ok:
			k.Value.Decode(into)
		case k.Name == "fallback", k.Name == "digest":
			k.At.Fault("not supported by this version: take it out")
		case !slices.Contains(kindNames(), k.Name):
			k.At.Unknown(k.Name, append(kindNames(), slices.Sorted(maps.Keys(known))...))
		}
	}
}

// Kinds returns the names of all kinds of channels.
func Kinds() []string { return kindNames() }

func kindNames() []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return names
}
