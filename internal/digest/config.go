package digest

import (
	"fmt"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/duration"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Config is the digest of rules.yaml, which all channels with digests share. A gathered
// alert delays what its outbox can commit, so windows are bounded.
type Config struct {
	// Window is how long the alerts of a group are gathered after its first message.
	// It doubles with each digest, up to max_window.
	Window time.Duration `yaml:"window" range:"1s..15m"`
	// CriticalWindow is Window for groups with a critical alert.
	CriticalWindow time.Duration `yaml:"critical_window" range:"1s..15m"`
	// MaxWindow is the longest window to which it grows.
	MaxWindow time.Duration `yaml:"max_window" range:"1s..15m"`
	// MaxItems is how many alerts a digest lists, 1 to 100; it counts all of them.
	MaxItems int `yaml:"max_items" range:"1..100"`
	// CollapseOver is how many groups may wait for a channel before those that are
	// not critical become one message, 1 to 1000.
	CollapseOver int `yaml:"collapse_over" range:"1..1000"`
}

// Defaults returns the digest of a rules file that says nothing else.
func Defaults() Config {
	return Config{Window: 30 * time.Second, CriticalWindow: 10 * time.Second, MaxWindow: 5 * time.Minute, MaxItems: 20, CollapseOver: 10}
}

// CheckYAML implements yamldoc.Checker.
func (c *Config) CheckYAML(at yamldoc.Cursor) {
	if c.MaxWindow < c.Window || c.MaxWindow < c.CriticalWindow {
		at.Field("max_window").Fault("%s is shorter than window (%s) or critical_window (%s)", duration.Text(c.MaxWindow), duration.Text(c.Window), duration.Text(c.CriticalWindow))
	}
}

// Setting is a channel's digest: off, on, or what differs from rules.yaml. The zero
// Setting is off.
type Setting struct {
	On bool
	// Own is the channel's own values; zero ones are those of rules.yaml.
	Own Config
}

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (s *Setting) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	if at.IsMapping() {
		type values Config // without Config's check: what is not given is that of rules.yaml
		var own values
		at.Decode(&own)
		s.On, s.Own = true, Config(own)
		return
	}
	switch text, _ := at.Scalar(); text {
	case "on", "true":
		s.On = true
	case "off", "false":
		*s = Setting{}
	default:
		at.Fault("%q is none of on, off and {window: 30s, …}", text)
	}
}

// MarshalText returns on, off, or the channel's own values.
func (s Setting) MarshalText() ([]byte, error) {
	var own []string
	for _, v := range []struct {
		key   string
		value any
		given bool
	}{
		{"window", duration.Text(s.Own.Window), s.Own.Window > 0},
		{"critical_window", duration.Text(s.Own.CriticalWindow), s.Own.CriticalWindow > 0},
		{"max_window", duration.Text(s.Own.MaxWindow), s.Own.MaxWindow > 0},
		{"max_items", s.Own.MaxItems, s.Own.MaxItems > 0},
		{"collapse_over", s.Own.CollapseOver, s.Own.CollapseOver > 0},
	} {
		if v.given {
			own = append(own, fmt.Sprintf("%s: %v", v.key, v.value))
		}
	}
	switch {
	case !s.On:
		return []byte("off"), nil
	case own == nil:
		return []byte("on"), nil
	}
	return []byte("{" + strings.Join(own, ", ") + "}"), nil
}

// Over returns the channel's values, and those of rules.yaml where it has none.
func (s Setting) Over(rules Config) Config {
	c := Config{
		Window: or(s.Own.Window, rules.Window), CriticalWindow: or(s.Own.CriticalWindow, rules.CriticalWindow),
		MaxItems: or(s.Own.MaxItems, rules.MaxItems), CollapseOver: or(s.Own.CollapseOver, rules.CollapseOver),
	}
	c.MaxWindow = max(or(s.Own.MaxWindow, rules.MaxWindow), c.Window, c.CriticalWindow)
	return c
}

func or[T time.Duration | int](own, other T) T {
	if own > 0 {
		return own
	}
	return other
}
