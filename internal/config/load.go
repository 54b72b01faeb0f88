package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/obs/admin"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/safefile"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Source is what a configuration is loaded from.
type Source struct {
	// File is the file to read; empty: the first of $NOTIFIER_CONFIG,
	// /etc/notifier/notifier.yaml and ./configs/notifier.yaml that there is.
	File string
	// Shipped falls back on the configuration inside the program where none
	// of these is there.
	Shipped bool
	// Here does not look at what this host runs, in /etc.
	Here bool
	// Found is told which file is read where File does not name one; nil:
	// nobody is.
	Found func(name string)
	// Flags are the values given on the command line, by key.
	Flags  map[string]string
	Getenv func(string) string
}

// Loaded is a configuration with the rules it names, and where it is from.
type Loaded struct {
	Config
	Rules   *rule.Set
	File    string // "" for the shipped one
	here    bool   // it is ./configs, which nobody has named
	origins map[string]yamldoc.Pos
}

// Load reads everything. The faults are those of both files, in their order; a
// configuration with none that is an error can be used.
func Load(src Source) (*Loaded, yamldoc.Faults, error) {
	l, faults, err := LoadBase(src)
	if err != nil {
		return nil, faults, err
	}
	rules, name, err := l.readRules()
	var refused *RefusedError
	if errors.As(err, &refused) {
		return nil, faults, err
	}
	if err != nil {
		return l, append(faults, l.fault("rules", err.Error())), nil
	}
	set, more := rule.Compile(name, rules, rule.Environment{Channels: l.Channels.Names(), Samples: samples(&l.Events)})
	l.Rules = set
	return l, append(faults, more...), nil
}

// LoadBase reads the configuration without its rules.
func LoadBase(src Source) (*Loaded, yamldoc.Faults, error) {
	file, err := src.read()
	if err != nil {
		return nil, nil, err
	}
	name, data := file.name, file.data
	l := &Loaded{Config: Defaults(), File: name, here: file.here}
	shown := name
	if name == "" {
		shown = "notifier.yaml (shipped)"
	}
	faults := yamldoc.Decode(shown, filepath.Dir(name), data, &l.Config)
	l.origins = yamldoc.Places(shown, data)
	faults = append(faults, l.override(src)...)
	if err := topics.CheckGroup(l.Kafka.Group, l.Channels.Names()...); err != nil {
		faults = append(faults, l.fault("kafka.group", err.Error()))
	}
	if why := l.Kafka.LoginInTheClear(); why != "" {
		faults = append(faults, l.fault("kafka.sasl", why))
	}
	faults = append(faults, l.exposed()...)
	slices.SortStableFunc(faults, func(a, b yamldoc.Fault) int { return cmp.Compare(order(a), order(b)) })
	return l, faults, nil
}

// order is by lines, and what stands in no line last.
func order(f yamldoc.Fault) int {
	if f.Line == 0 {
		return math.MaxInt
	}
	return f.Line
}

// fault is one at a key, wherever its value comes from.
func (l *Loaded) fault(key, message string) yamldoc.Fault {
	return yamldoc.NewFault(l.place(key), false, message)
}

// place is where a key's value comes from.
func (l *Loaded) place(key string) yamldoc.Pos {
	if at, ok := l.origins[key]; ok {
		return at
	}
	return yamldoc.Pos{File: "default", Path: key}
}

// RulesFile returns the file of the rules; empty for the shipped ones.
func (l *Loaded) RulesFile() string {
	switch {
	case l.File == "":
		return ""
	case filepath.IsAbs(l.Config.Rules):
		return l.Config.Rules
	}
	return filepath.Join(filepath.Dir(l.File), l.Config.Rules)
}

func (l *Loaded) readRules() ([]byte, string, error) {
	if l.File == "" {
		return configs.Rules, "rules.yaml (shipped)", nil
	}
	name := l.RulesFile()
	read := func(name string) ([]byte, error) { return safefile.Read(name, yamldoc.MaxBytes) }
	if l.here {
		read = readOurs
	}
	data, err := read(name)
	if err != nil {
		return nil, name, unreadableRules(name, err)
	}
	return data, name, nil
}

func unreadableRules(name string, err error) error {
	var refused *RefusedError
	if errors.As(err, &refused) {
		return err
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("cannot read %s: %w", name, err)
}

// The keys that flags and the environment can set, and the variables in the
// order of their precedence.
var overrides = []struct {
	key       string
	variables []string
	set       func(c *Config, value string) error
}{
	{"kafka.brokers", []string{"KAFKA_BOOTSTRAP_SERVERS"}, func(c *Config, v string) error {
		c.Kafka.Brokers = nil
		for b := range strings.SplitSeq(v, ",") {
			b = strings.TrimSpace(b)
			if err := kafka.CheckAddress(b); err != nil {
				return err
			}
			c.Kafka.Brokers = append(c.Kafka.Brokers, b)
		}
		return nil
	}},
	{"kafka.group", []string{"KAFKA_GROUP_ID_NOTIFICATIONS", "KAFKA_GROUP_ID"}, func(c *Config, v string) error {
		c.Kafka.Group = v
		return nil
	}},
	{"kafka.instance_id", []string{"KAFKA_GROUP_INSTANCE_ID"}, func(c *Config, v string) error {
		c.Kafka.InstanceID = v
		return nil
	}},
	{"log.level", []string{"NOTIFIER_LOG_LEVEL"}, func(c *Config, v string) error { return c.Log.Level.UnmarshalText([]byte(v)) }},
	{"http.listen", []string{"NOTIFIER_HTTP_LISTEN"}, func(c *Config, v string) error {
		c.HTTP.Listen = v
		return admin.CheckListen(v)
	}},
	// Of OpenTelemetry's own two, which mean different things, the one for traces
	// holds: it stands last.
	{"tracing.endpoint", []string{"OTEL_EXPORTER_OTLP_ENDPOINT"}, func(c *Config, v string) error { return c.Tracing.SetBase(v) }},
	{"tracing.endpoint", []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"}, func(c *Config, v string) error { return c.Tracing.SetEndpoint(v) }},
	{"kafka.start", nil, func(c *Config, v string) error { return c.Kafka.Start.UnmarshalText([]byte(v)) }},
}

// override puts the environment, then the flags, over the file.
func (l *Loaded) override(src Source) yamldoc.Faults {
	var faults yamldoc.Faults
	for _, o := range overrides {
		value, origin := "", ""
		for _, name := range o.variables {
			if v := src.Getenv(name); v != "" {
				value, origin = v, "environment "+name
				break
			}
		}
		if v := src.Flags[o.key]; v != "" {
			value, origin = v, "flag"
		}
		if origin == "" {
			continue
		}
		l.origins[o.key] = yamldoc.Pos{File: origin, Path: o.key}
		if err := o.set(&l.Config, value); err != nil {
			faults = append(faults, l.fault(o.key, err.Error()))
		}
	}
	return faults
}

// samples decodes the shipped samples as the configuration says.
func samples(fields *event.Config) []rule.Sample {
	d := event.NewDecoder(fields, nil, nil)
	var list []rule.Sample
	for _, s := range configs.Samples() {
		e, err := d.Decode(event.Record{Topic: string(s.Topic), Value: s.Data})
		if err != nil {
			panic(err) // they are compiled in, and tested
		}
		list = append(list, rule.Sample{Name: s.Name, Event: e})
	}
	return list
}

// CompileRules compiles a file of rules against this configuration.
func (l *Loaded) CompileRules(name string, data []byte) (*rule.Set, yamldoc.Faults) {
	return rule.Compile(name, data, rule.Environment{Channels: l.Channels.Names(), Samples: samples(&l.Events)})
}
