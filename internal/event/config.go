package event

import (
	"regexp"
	"strings"

	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Config says how large an event may be, and where in each topic's documents its
// id, type and time stand.
type Config struct {
	// MaxUnpacked is how many bytes an event may take once it is unpacked,
	// MinUnpacked to 64 MiB. Every layer counts: what gzip or zstd unpacks to, and
	// each document inside a JSON string or a CloudEvent beside what holds it.
	MaxUnpacked yamldoc.Size `yaml:"max_unpacked"`
	// Topics holds the fields by topic. A topic that is absent uses DefaultFields.
	Topics map[string]Fields `yaml:",inline"`
}

// DefaultMaxUnpacked is twice what brokers accept by default
// (message.max.bytes), so that an event that was encoded twice passes.
const DefaultMaxUnpacked yamldoc.Size = 2 << 20

// MinUnpacked and maxUnpacked bound what can be configured.
const (
	MinUnpacked yamldoc.Size = 16 << 10
	maxUnpacked yamldoc.Size = 64 << 20
)

// Fields are lists of paths, such as header.event_id; the first hit wins.
type Fields struct {
	ID   []string `yaml:"id"`
	Type []string `yaml:"type"`
	Time []string `yaml:"time"`
}

// DefaultFields is where our own samples keep them.
func DefaultFields() Fields {
	return Fields{ID: []string{"event_id"}, Type: []string{"event_type"}, Time: []string{"occurred_at", "timestamp"}}
}

// Defaults returns the configuration of all topics where nothing is said.
func Defaults() Config {
	c := Config{MaxUnpacked: DefaultMaxUnpacked, Topics: make(map[string]Fields)}
	for _, n := range topics.All() {
		c.Topics[string(n)] = DefaultFields()
	}
	return c
}

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler: keys other than max_unpacked
// must be source topics.
func (c *Config) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	*c = Defaults()
	for _, k := range at.Keys() {
		if k.Name == "max_unpacked" {
			k.Value.Decode(&c.MaxUnpacked)
			if c.MaxUnpacked < MinUnpacked || c.MaxUnpacked > maxUnpacked {
				k.Value.Fault("%s is not between %s and %s", c.MaxUnpacked, MinUnpacked, maxUnpacked)
			}
			continue
		}
		if _, err := topics.Parse(k.Name); err != nil {
			k.At.Fault("%v", err)
			continue
		}
		fields := DefaultFields()
		k.Value.Decode(&fields)
		c.Topics[k.Name] = fields
	}
}

var path = regexp.MustCompile(`^[^.\s]+(\.[^.\s]+)*$`)

// CheckYAML implements yamldoc.Checker.
func (f *Fields) CheckYAML(at yamldoc.Cursor) {
	for name, paths := range map[string][]string{"id": f.ID, "type": f.Type, "time": f.Time} {
		for _, p := range paths {
			if !path.MatchString(p) {
				at.Field(name).Fault("%q is not a path: write member names joined with dots, such as header.id", p)
			}
		}
	}
}

// paths are Fields in the form the decoder walks.
type paths struct{ id, kind, time [][]string }

func (f Fields) compile() paths {
	split := func(list []string) [][]string {
		out := make([][]string, len(list))
		for i, p := range list {
			out[i] = strings.Split(p, ".")
		}
		return out
	}
	return paths{id: split(f.ID), kind: split(f.Type), time: split(f.Time)}
}

func (p paths) roots(yield func(string) bool) {
	for _, list := range [][][]string{p.id, p.kind, p.time} {
		for _, path := range list {
			if !yield(path[0]) {
				return
			}
		}
	}
}
