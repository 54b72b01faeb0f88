package event

import (
	"regexp"
	"strings"

	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Config limits the size of events and locates their id, type and time.
type Config struct {
	// MaxUnpacked limits the unpacked bytes of an event, 16KiB to 64MiB.
	// Every layer counts: the output of gzip or zstd, and each document inside a
	// JSON string or a CloudEvent in addition to its container.
	MaxUnpacked yamldoc.Size `yaml:"max_unpacked"`
	// Topics holds the fields by topic; the default is DefaultFields.
	Topics map[string]Fields `yaml:",inline"`
}

// DefaultMaxUnpacked is twice the brokers' default of message.max.bytes, so that
// a double-encoded event fits.
const DefaultMaxUnpacked yamldoc.Size = 2 << 20

// Bounds of Config.MaxUnpacked.
const (
	MinUnpacked yamldoc.Size = 16 << 10
	maxUnpacked yamldoc.Size = 64 << 20
)

// Fields are lists of paths, such as header.event_id; the first with a usable value
// is used. The last names of a path may be one member: a.b.c is also the member "b.c"
// of a, and the member "a.b.c".
type Fields struct {
	// ID are the paths of the event's id.
	ID []string `yaml:"id"`
	// Type are the paths of the event's type.
	Type []string `yaml:"type"`
	// Time are the paths of the event's time.
	Time []string `yaml:"time"`
	// Schema is the JSON Schema that events are checked with.
	Schema SchemaRef `yaml:"schema"`
	// Types is strict if rules that use fields that neither the samples nor the schema
	// have, or as another type, are errors.
	Types string `yaml:"types"`
}

// SchemaRef names the JSON Schema of a topic's events.
type SchemaRef struct {
	// File is the path of the schema, relative to the configuration, or built-in; empty: none.
	File string `yaml:"file"`
	// Mode is what becomes of events that violate it: warn or reject.
	Mode string `yaml:"mode"`
}

// The modes of a schema, and the strictness of types.
const (
	Warn   = "warn"   // violations are counted and logged
	Reject = "reject" // events that violate the schema become dead letters
	Strict = "strict"
)

// DefaultFields returns the paths that the samples use.
func DefaultFields() Fields {
	return Fields{
		ID: []string{"event_id"}, Type: []string{"event_type"}, Time: []string{"occurred_at", "timestamp"}, Schema: SchemaRef{Mode: Warn}, Types: Warn,
	}
}

// Defaults returns the default configuration.
func Defaults() Config {
	c := Config{MaxUnpacked: DefaultMaxUnpacked, Topics: make(map[string]Fields)}
	for _, n := range topics.All() {
		c.Topics[string(n)] = DefaultFields()
	}
	return c
}

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler. Keys other than max_unpacked
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

var path = regexp.MustCompile(`^[^.[:cntrl:]]+(\.[^.[:cntrl:]]+)*$`)

// maxNames limits the names of a path.
const maxNames = 8

// CheckYAML implements yamldoc.Checker.
func (s *SchemaRef) CheckYAML(at yamldoc.Cursor) {
	if s.File == "" && at.IsMapping() {
		at.Field("file").Fault("is missing: name a file with a JSON Schema")
	}
	if s.Mode != Warn && s.Mode != Reject {
		at.Field("mode").Fault("%q is not %s or %s", s.Mode, Warn, Reject)
	}
}

// CheckYAML implements yamldoc.Checker.
func (f *Fields) CheckYAML(at yamldoc.Cursor) {
	if f.Types != Warn && f.Types != Strict {
		at.Field("types").Fault("%q is not %s or %s", f.Types, Warn, Strict)
	}
	for name, paths := range map[string][]string{"id": f.ID, "type": f.Type, "time": f.Time} {
		for _, p := range paths {
			if !path.MatchString(p) || strings.TrimSpace(p) != p {
				at.Field(name).Fault("invalid path %q: join member names with dots, such as header.id", p)
			}
			if strings.Count(p, ".") >= maxNames {
				at.Field(name).Fault("path %q has more than %d names", p, maxNames)
			}
		}
	}
}

// paths are the readings of Fields: each path split at its dots, then with its last
// names as one.
type paths struct{ id, kind, time [][]string }

func (f Fields) compile() paths {
	read := func(list []string) (out [][]string) {
		for _, p := range list {
			names := strings.Split(p, ".")
			for flat := range names {
				nested := len(names) - 1 - flat
				out = append(out, append(names[:nested:nested], strings.Join(names[nested:], ".")))
			}
		}
		return out
	}
	return paths{id: read(f.ID), kind: read(f.Type), time: read(f.Time)}
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
