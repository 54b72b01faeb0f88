package lag

import (
	"slices"

	"github.com/algotrade/notifier/internal/yamldoc"
)

// Config says whose lag is looked at beside our own.
type Config struct {
	// Groups are consumer groups of other services; [all] is every group there
	// is, up to MaxGroups.
	Groups []string `yaml:"groups"`
}

// all, standing alone, means every group.
const all = "all"

// Every reports whether all groups are meant.
func (c Config) Every() bool { return len(c.Groups) == 1 && c.Groups[0] == all }

// Named returns the groups that are meant by their names.
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
			break // it is no list of names, which is said
		}
		name := c.Groups[i]
		switch {
		case name == "":
			item.Fault("is empty: write the name of a consumer group")
		case name == all && len(c.Groups) > 1:
			item.Fault("all stands alone: write groups: [all], or the names without it")
		case slices.Index(c.Groups, name) < i:
			item.Fault("%s stands there twice", name)
		}
	}
	if len(c.Groups) > MaxGroups {
		at.Field("groups").Fault("names %d groups; at most %d are looked at", len(c.Groups), MaxGroups)
	}
}
