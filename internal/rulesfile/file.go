// Package rulesfile is rules.yaml as it is written: the decoder, and what is checked of a
// key without knowing the others or what an expression means. Package rule makes rules of
// a Document.
package rulesfile

import (
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/digest"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Document is the content of rules.yaml. Comments on its fields, and on those of the
// types below, are the descriptions in configs/editor.
type Document struct {
	Version version `yaml:"version"` // Version of the format: 1.
	// Timezone of clock() and of the times in messages, an IANA name; default: UTC.
	Timezone zone `yaml:"timezone"`
	// Vars are values of your own, which expressions read as vars.NAME.
	Vars vars `yaml:"vars"`
	// Routes are channels by severity, by name; to of a rule names routes or channels.
	Routes map[string]Route `yaml:"routes"`
	// Calendars are recurring times by name, such as the nights of the desk, for quiet hours.
	Calendars map[string]calendarEntry `yaml:"calendars"`
	// Defaults are the default where of the rules of a topic.
	Defaults map[string]defaults `yaml:"defaults"`
	// Rules are the rules. Each is evaluated on every event of its topics; the order does
	// not matter.
	Rules []Entry `yaml:"rules"`
	// Tests are events, and the alerts that they raise: see 'notifier rules test'.
	Tests elsewhere `yaml:"tests"` // see package ruletest
	// Digest says how alerts of a group are told together, on channels with digests.
	Digest digest.Config `yaml:"digest"`

	At yamldoc.Cursor // of the whole file; zero: it could not be read
}

// elsewhere is a key that another package reads.
type elsewhere struct{}

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (*elsewhere) UnmarshalYAMLDoc(yamldoc.Cursor) {}

type version int

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (v *version) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	if text, ok := at.Scalar(); ok && text != "1" {
		at.Fault("unknown version %q: write version: 1", text)
	}
	*v = 1
}

type zone struct{ *time.Location }

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (z *zone) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	name, ok := at.Scalar()
	if !ok {
		return
	}
	loaded, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		at.Fault("unknown time zone %q: use an IANA name, such as America/New_York or UTC", name)
		return
	}
	z.Location = loaded
}

// vars are values that expressions read as vars.NAME.
type vars struct{ Value event.Value }

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (v *vars) UnmarshalYAMLDoc(at yamldoc.Cursor) { v.Value = YAMLValue(at) }

// YAMLValue returns a node as a value of an event. Numbers keep their text.
func YAMLValue(at yamldoc.Cursor) event.Value {
	switch {
	case at.IsMapping():
		var members []event.Value
		for _, k := range at.Keys() {
			members = append(members, event.Member(k.Name, YAMLValue(k.Value)))
		}
		return event.ObjectValue(members)
	case at.IsSequence():
		var elements []event.Value
		for _, item := range at.Items() {
			elements = append(elements, YAMLValue(item))
		}
		return event.ArrayValue(elements)
	}
	text, _ := at.Scalar()
	switch at.Tag() {
	case "!!null":
		return event.NullValue()
	case "!!bool":
		return event.BoolValue(text == "true" || text == "True" || text == "TRUE")
	case "!!int", "!!float":
		f, ok := calc.ParseNumber(text)
		if !ok {
			at.Fault("unsupported number %s: write it in decimal", text)
		}
		return event.LiteralValue(text, f)
	}
	return event.StringValue(text)
}

// Route maps severities to channels.
type Route struct {
	Severities map[alert.Severity][]Reference
	Quiet      *Quiet // nil: none
	At         yamldoc.Cursor
}

// Reference is the name of a channel or route, with its place in the file.
type Reference struct {
	Name string
	At   yamldoc.Cursor
}

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (r *Reference) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	r.At = at
	r.Name, _ = at.Scalar()
}

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (r *Route) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	r.At, r.Severities = at, make(map[alert.Severity][]Reference)
	for _, k := range at.Keys() {
		if k.Name == "quiet" {
			r.Quiet = new(Quiet)
			k.Value.Decode(r.Quiet)
			continue
		}
		severity := alert.Severity(k.Name)
		if severity.Rank() == 0 {
			k.At.Unknown(k.Name, append(SeverityNames(), "quiet"))
			continue
		}
		var names []Reference
		k.Value.Decode(&names)
		r.Severities[severity] = names
	}
}

// SeverityNames returns the names of the severities.
func SeverityNames() []string {
	var names []string
	for _, s := range alert.Severities() {
		names = append(names, string(s))
	}
	return names
}

type defaults struct {
	// Where is the condition that events have to fulfil besides when of a rule.
	Where *yamldoc.Scalar `yaml:"where"`
}

// Entry is one rule of the file.
type Entry struct {
	// Name of the rule, a label of metrics: lower-case letters, digits and single hyphens.
	Name string `yaml:"name"`
	// Topic is the topic, or the topics, whose events the rule is evaluated on; default: all.
	Topic topicList `yaml:"topic"`
	// When is the condition on an event, such as event.notional >= 50000.
	When yamldoc.Scalar `yaml:"when"`
	// Where replaces the default condition of the topic; true: none.
	Where *yamldoc.Scalar `yaml:"where"`
	// Severity is one of info, warning (the default) and critical, or an expression that
	// returns one of them.
	Severity *yamldoc.Scalar `yaml:"severity"`
	// Key is what an alert is about, as expressions: throttles count by it, and a channel
	// sends the alerts of one key in order. Default: all alerts of the rule have one key.
	Key []yamldoc.Scalar `yaml:"key"`
	// GroupBy is what alerts that are told together have in common, as expressions;
	// default: the key.
	GroupBy []yamldoc.Scalar `yaml:"group_by"`
	// Throttle is the time in which a channel gets at most one message for the key, up to
	// 30d; default: none.
	Throttle time.Duration `yaml:"throttle"`
	// Expire is the age, up to 30d, from which an alert is no longer sent; default: none.
	Expire time.Duration `yaml:"expire"`
	// Clear is the condition on an event that ends the alert of its key: its channels are
	// told once.
	Clear *yamldoc.Scalar `yaml:"clear"`
	// Remind is the time after which a message is repeated until clear, from 1m to 30d.
	Remind time.Duration `yaml:"remind"`
	// To are the routes or channels that get the alerts.
	To []Reference `yaml:"to"`
	// Title of the message, a text with holes: {{ event.symbol }}.
	Title yamldoc.Scalar `yaml:"title"`
	// Text below the title, with holes.
	Text yamldoc.Scalar `yaml:"text"`
	// Fields of the message: expressions or texts with holes, each with its label or
	// without.
	Fields []Field `yaml:"fields"`
	// Runbook is the web address of what to do.
	Runbook string `yaml:"runbook"`

	At yamldoc.Cursor
}

// topicList is one topic or several; none means all.
type topicList []topics.Name

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (t *topicList) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	for _, item := range at.Items() {
		text, ok := item.Scalar()
		if !ok {
			continue
		}
		name, err := topics.Parse(text)
		if err != nil {
			item.Fault("%v", err)
			continue
		}
		if slices.Contains(*t, name) {
			item.Fault("duplicate topic %s", name)
			continue
		}
		*t = append(*t, name)
	}
}

// Field is a field of the alert: an expression, or a label with an
// expression or a template.
type Field struct {
	Label string
	Value yamldoc.Scalar
}

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (f *Field) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	if !at.IsMapping() {
		f.Value.UnmarshalYAMLDoc(at)
		return
	}
	keys := at.Keys()
	if len(keys) != 1 {
		at.Fault("a field is one expression or one label with its expression")
	}
	for _, k := range keys {
		f.Label = k.Name
		f.Value.UnmarshalYAMLDoc(k.Value)
	}
}
