package templated

import (
	"net/url"
	"slices"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
)

// preset is what a known provider needs.
type preset struct {
	name    string
	url     string   // default; empty: it has to be configured
	needs   []string // the settings without a default: see Config
	medium  medium   // of the texts in a configured body
	render  func(c *Config, m channel.Message) any
	address func(c *Config, u *url.URL) // completes the configured URL; nil: as it is
	answers answers
	// rate is how many messages a second the provider takes, 0: no limit is known;
	// burst is how many at once.
	rate   float64
	burst  int
	remedy map[outcome.Cause]string
	// budgets are the limits of texts in the body, and body that of the whole, in bytes; 0:
	// maxBody. They are shown in a preview.
	budgets []budget
	body    int
}

// presets lists all presets; their documentation is docs/channels.md.
var presets = []preset{alertmanager, discord, googleChat, mattermost, ntfy, teams, telegram}

// Presets returns the names of all presets.
func Presets() []string {
	names := make([]string, len(presets))
	for i, p := range presets {
		names[i] = p.name
	}
	return names
}

// presetOf returns the preset called name, or nil.
func presetOf(name string) *preset {
	i := slices.IndexFunc(presets, func(p preset) bool { return p.name == name })
	if i < 0 {
		return nil
	}
	return &presets[i]
}

type object = map[string]any

// heading returns the title behind its mark.
func heading(c channel.Content) alert.Text {
	mark := c.Mark + ": "
	if len(c.Title) > 0 && !c.Title[0].Value {
		return append(literal(mark+c.Title[0].Text), c.Title[1:]...)
	}
	return append(literal(mark), c.Title...)
}

// orDash returns s, or a dash where a provider refuses an empty text.
func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
