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
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Config is one configured channel: its kind's settings and the settings
// common to all channels.
type Config struct {
	Kind     string
	Dispatch dispatch.Config

	settings settings
}

// Settings returns the kind's own configuration.
func (c *Config) Settings() any { return c.settings.value() }

// Destination is where the channel sends to, without secrets.
func (c *Config) Destination() string {
	if c.settings == nil { // invalid configuration
		return ""
	}
	if d, ok := c.settings.value().(interface{ Destination() string }); ok {
		return d.Destination()
	}
	return ""
}

// Edits reports whether the channel replaces its last digest of a group by the next.
func (c *Config) Edits() bool {
	if c.settings == nil {
		return false
	}
	e, ok := c.settings.value().(interface{ Edits() bool })
	return ok && e.Edits()
}

// Build constructs the channel. It implements channel.Verifier and io.Closer.
func (c *Config) Build(name string, deps Deps) (channel.Channel, error) {
	if deps.Redactor == nil {
		deps.Redactor = secret.NewRedactor(c.Settings())
	}
	ch, err := c.settings.build(name, c.Dispatch, deps)
	if err != nil {
		return nil, fmt.Errorf("channel %s: %s", name, deps.Redactor.Redact(err.Error()))
	}
	if l, ok := ch.(interface{ SetLogger(*slog.Logger) }); ok && deps.Logger != nil {
		l.SetLogger(deps.Logger.With("component", "dispatch", "channel", name))
	}
	return redactingChannel{ch, deps.Redactor}, nil
}

// Set is the configured channels by name. Decoding only stores the cursor;
// Resolve decodes the channels once the defaults are known.
type Set struct {
	byName  map[string]*Config
	at      yamldoc.Cursor
	present bool
}

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (s *Set) UnmarshalYAMLDoc(at yamldoc.Cursor) { s.at, s.present = at, true }

// Names returns the sorted names of the channels.
func (s *Set) Names() []string { return slices.Sorted(maps.Keys(s.byName)) }

// Get returns the channel called name, or nil.
func (s *Set) Get(name string) *Config { return s.byName[name] }

var channelName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// Resolve decodes the channels with retry and breaker as defaults. An invalid
// channel keeps its name, so that references to it are not reported too.
func (s *Set) Resolve(retry dispatch.Retry, breaker dispatch.Breaker) {
	s.byName = make(map[string]*Config)
	if !s.present {
		return
	}
	for _, k := range s.at.Keys() {
		if !channelName.MatchString(k.Name) || len(k.Name) > 64 {
			k.At.Fault("is not a channel name: use lower-case letters, digits and single hyphens, at most 64 characters")
			continue
		}
		s.byName[k.Name] = decode(k.Value, retry, breaker)
	}
	if len(s.at.Keys()) == 0 {
		s.at.Fault("must define at least one channel")
	}
	s.checkFallbacks()
}

// checkFallbacks checks what a channel falls back to. The kind of a channel that has a
// fault does not matter.
func (s *Set) checkFallbacks() {
	for _, name := range s.Names() {
		at := s.at.Field(name).Field("fallback").Field("to")
		switch to := s.byName[name].Dispatch.Fallback.To; {
		case to == "":
		case to == name:
			at.Fault("is the channel itself: name another one")
		case s.byName[to] == nil:
			at.FaultOf(yamldoc.UnknownName, "%s", s.Unknown(to))
		case s.fallsBackTo(to, name):
			at.Warn("%s falls back to %s in turn: an alert is rerouted once, so while both cannot send it waits in the outbox of the second", to, name)
		}
	}
}

// fallsBackTo reports whether a channel falls back to another, over others too.
func (s *Set) fallsBackTo(from, to string) bool {
	for range s.byName {
		c := s.byName[from]
		if c == nil || c.Dispatch.Fallback.To == "" {
			return false
		}
		if from = c.Dispatch.Fallback.To; from == to {
			return true
		}
	}
	return false
}

// Unknown says that there is no channel called name, and which there are.
func (s *Set) Unknown(name string) string {
	if near := suggest.Closest(name, s.Names()); near != "" {
		return fmt.Sprintf("there is no channel %q: did you mean %q?", name, near)
	}
	return fmt.Sprintf("there is no channel %q: choose from %s", name, strings.Join(s.Names(), ", "))
}

func decode(at yamldoc.Cursor, retry dispatch.Retry, breaker dispatch.Breaker) *Config {
	keys := at.Keys()
	c := &Config{}
	for _, k := range keys {
		i := slices.IndexFunc(kinds, func(kind kind) bool { return kind.name == k.Name })
		switch {
		case i < 0:
		case c.settings != nil:
			k.At.Fault("is a second kind besides %s: a channel has exactly one", c.Kind)
		default:
			c.Kind, c.Dispatch = kinds[i].name, kinds[i].defaults
			c.settings = kinds[i].decode(k.Value)
		}
	}
	if c.settings == nil {
		c.Dispatch = kinds[0].defaults // for the check of what all kinds have
		c.decodeCommon(at, retry, breaker)
		at.Fault("has no kind: add one of %s", strings.Join(Kinds(), ", "))
		return c
	}
	if r, ok := c.settings.value().(interface {
		DefaultPace() (perSecond float64, burst int)
	}); ok {
		rate, burst := r.DefaultPace()
		c.Dispatch.Pace = dispatch.Pace{Rate: dispatch.Rate(rate), Burst: burst}
	}
	c.decodeCommon(at, retry, breaker)
	c.settings.check(at, c.Dispatch)
	return c
}

// decodeCommon decodes the keys common to all kinds and reports unknown ones.
func (c *Config) decodeCommon(at yamldoc.Cursor, retry dispatch.Retry, breaker dispatch.Breaker) {
	c.Dispatch.Retry, c.Dispatch.Breaker = retry, breaker
	if c.Dispatch.Ambiguous == "" {
		c.Dispatch.Ambiguous = dispatch.Resend
	}
	at.DecodeBeside(&c.Dispatch, Kinds())
}

// KindConfig is a kind of channel with the zero value of its settings.
type KindConfig struct {
	Name     string
	Settings any
}

// KindConfigs returns all channel kinds.
func KindConfigs() []KindConfig {
	list := make([]KindConfig, len(kinds))
	for i, k := range kinds {
		list[i] = KindConfig{k.name, k.config}
	}
	return list
}

// Kinds returns the names of all channel kinds.
func Kinds() []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return names
}
