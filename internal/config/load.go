package config

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/obs/admin"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Source locates a configuration.
type Source struct {
	// File is the path; empty: the first that exists of $NOTIFIER_CONFIG,
	// /etc/notifier/notifier.yaml and ./configs/notifier.yaml.
	File       string
	Shipped    bool                // fall back to the embedded configuration
	SkipSystem bool                // skip /etc/notifier/notifier.yaml
	Found      func(name string)   // called with the file that is read if File is empty; or nil
	Flags      map[string]string   // values of the command line by key
	Getenv     func(string) string // of the environment
}

// Loaded is a configuration with its rules and the origins of its values.
type Loaded struct {
	Config
	Rules   *rule.Set
	Schemas Schemas
	File    string // empty: the embedded one
	local   bool   // ./configs/notifier.yaml, not named explicitly
	origins map[string]yamldoc.Pos
	files   Files
}

// Load reads the configuration and its rules. It can be used if no fault is an
// error.
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
	set, ruleFaults := l.CompileRules(name, rules)
	l.Rules, l.files.Rules = set, sha256.Sum256(rules)
	return l, append(faults, ruleFaults...), nil
}

// LoadBase reads the configuration without its rules.
func LoadBase(src Source) (*Loaded, yamldoc.Faults, error) {
	file, err := src.read()
	if err != nil {
		return nil, nil, err
	}
	name, data := file.name, file.data
	l := &Loaded{Config: Defaults(), File: name, local: file.local, files: Files{Config: sha256.Sum256(data)}}
	label := name
	if name == "" {
		label = "notifier.yaml (shipped)"
	}
	faults := yamldoc.Decode(label, filepath.Dir(name), data, &l.Config)
	l.origins = yamldoc.Places(label, data)
	faults = append(faults, l.override(src)...)
	if err := topics.CheckGroup(l.Kafka.Group, l.Channels.Names()...); err != nil {
		faults = append(faults, l.fault("kafka.group", err.Error()))
	}
	if problem := l.Kafka.LoginInTheClear(); problem != "" {
		faults = append(faults, l.fault("kafka.sasl", problem).Of(yamldoc.Insecure))
	}
	faults = append(faults, l.checkTexts()...)
	schemas, schemaFaults := l.loadSchemas()
	l.Schemas, l.files.Schemas = schemas, schemas.sum
	faults = append(faults, l.checkPermissions()...)
	slices.SortStableFunc(faults, func(a, b yamldoc.Fault) int { return cmp.Compare(order(a), order(b)) })
	return l, append(faults, schemaFaults...), nil
}

// order returns the sort key of a fault: its line; faults without a line are last.
func order(f yamldoc.Fault) int {
	if f.Line == 0 {
		return math.MaxInt
	}
	return f.Line
}

// fault returns an error at the origin of a key's value.
func (l *Loaded) fault(key, message string) yamldoc.Fault {
	return yamldoc.NewFault(l.place(key), false, message)
}

// place returns the origin of a key's value.
func (l *Loaded) place(key string) yamldoc.Pos {
	if at, ok := l.origins[key]; ok {
		return at
	}
	return yamldoc.Pos{File: "default", Path: key}
}

// RulesFile returns the path of the rules; empty: the embedded ones.
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
	data, err := l.reader()(name)
	return data, name, cannotRead(name, err)
}

// overrides are the keys that flags and environment variables set. The first
// variable that is set is used.
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
	// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT has precedence, so it is applied last.
	{"tracing.endpoint", []string{"OTEL_EXPORTER_OTLP_ENDPOINT"}, func(c *Config, v string) error { return c.Tracing.SetBase(v) }},
	{"tracing.endpoint", []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"}, func(c *Config, v string) error { return c.Tracing.SetEndpoint(v) }},
	{"kafka.start", nil, func(c *Config, v string) error { return c.Kafka.Start.UnmarshalText([]byte(v)) }},
}

// override applies the environment, then the flags.
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

// CompileRules compiles a rules file against this configuration.
func (l *Loaded) CompileRules(name string, data []byte) (*rule.Set, yamldoc.Faults) {
	samples, faults := l.RuleSamples()
	set, found := rule.Compile(name, data, rule.Environment{Channels: l.Channels.Names(), Samples: samples, Shapes: l.shapes()})
	return set, append(faults, found...)
}

// Layout returns the layout of the topics.
func (l *Loaded) Layout() kafka.Layout {
	lay := kafka.Layout{Group: l.Kafka.Group, Event: int(l.Events.MaxUnpacked)}
	for _, name := range l.Channels.Names() {
		d := &l.Channels.Get(name).Dispatch
		lay.Channels = append(lay.Channels, kafka.Channel{Name: name, Partitions: d.Partitions, SingleOwner: d.SingleOwner()})
	}
	return lay
}
