package lag

import (
	"slices"

	"github.com/algotrade/notifier/internal/yamldoc"
)

// Config configures whose lag is measured besides our own.
type Config struct {
	// Groups are consumer groups of other services; [all]: every group, up to 100.
	Groups []string `yaml:"groups"`
}

// all, as the only name, means every group.
const all = "all"

// Every reports whether all groups are meant.
func (c Config) Every() bool { return len(c.Groups) == 1 && c.Groups[0] == all }

// Named returns the groups by name.
func (c Config) Named() []string {
	if c.Every() {
		return nil
	}
	return c.Groups
}

// CheckYAML implements yamldoc.Checker.
func (c *Config) CheckYAML(at yamldoc.Cursor) {
	for i, item := range at.Field("groups").Items() {
		if i >= len(c.Groups) {
			break // not a list of names, reported already
		}
		name := c.Groups[i]
		switch {
		case name == "":
			item.Fault("is empty: write the name of a consumer group")
		case name == all && len(c.Groups) > 1:
			item.Fault("all excludes other names: write groups: [all], or the names without it")
		case slices.Index(c.Groups, name) < i:
			item.Fault("duplicate name %s", name)
		}
	}
	if len(c.Groups) > MaxGroups {
		at.Field("groups").Fault("names %d groups, the maximum is %d", len(c.Groups), MaxGroups)
	}
}
