package digest

import (
	"fmt"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/duration"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Config is the digest of rules.yaml, which all channels with digests share.
type Config struct {
	// Window is how long the alerts of a group are gathered after its first message.
	// It doubles with each digest, up to MaxWindow.
	Window time.Duration `yaml:"window"`
	// CriticalWindow is Window for groups with a critical alert.
	CriticalWindow time.Duration `yaml:"critical_window"`
	MaxWindow      time.Duration `yaml:"max_window"`
	// MaxItems is how many alerts a digest lists, 1 to 100; it counts all of them.
	MaxItems int `yaml:"max_items"`
	// CollapseOver is how many groups may wait for a channel before those that are
	// not critical become one message, 1 to 1000.
	CollapseOver int `yaml:"collapse_over"`
}

// Defaults returns the digest of a rules file that says nothing else.
func Defaults() Config {
	return Config{Window: 30 * time.Second, CriticalWindow: 10 * time.Second, MaxWindow: 5 * time.Minute, MaxItems: 20, CollapseOver: 10}
}

// Bounds of windows: a gathered alert delays what its outbox can commit.
const shortest, longest = time.Second, 15 * time.Minute

// CheckYAML implements yamldoc.Checker.
func (c *Config) CheckYAML(at yamldoc.Cursor) {
	c.check(at, func(string) bool { return true })
	if c.MaxWindow < c.Window || c.MaxWindow < c.CriticalWindow {
		at.Field("max_window").Fault("%s is shorter than window (%s) or critical_window (%s)", duration.Text(c.MaxWindow), duration.Text(c.Window), duration.Text(c.CriticalWindow))
	}
}

// check reports the values of these keys that are out of bounds.
func (c *Config) check(at yamldoc.Cursor, has func(key string) bool) {
	for _, w := range []struct {
		key   string
		value time.Duration
	}{{"window", c.Window}, {"critical_window", c.CriticalWindow}, {"max_window", c.MaxWindow}} {
		if has(w.key) && (w.value < shortest || w.value > longest) {
			at.Field(w.key).Fault("%s is not between %s and %s", duration.Text(w.value), duration.Text(shortest), duration.Text(longest))
		}
	}
	if has("max_items") && (c.MaxItems < 1 || c.MaxItems > 100) {
		at.Field("max_items").Fault("%d is not between 1 and 100", c.MaxItems)
	}
	if has("collapse_over") && (c.CollapseOver < 1 || c.CollapseOver > 1000) {
		at.Field("collapse_over").Fault("%d is not between 1 and 1000", c.CollapseOver)
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
		var own struct { // without Config's check
			Window         time.Duration `yaml:"window"`
			CriticalWindow time.Duration `yaml:"critical_window"`
			MaxWindow      time.Duration `yaml:"max_window"`
			MaxItems       int           `yaml:"max_items"`
			CollapseOver   int           `yaml:"collapse_over"`
		}
		at.Decode(&own)
		s.On, s.Own = true, Config(own)
		s.Own.check(at, at.Has)
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
