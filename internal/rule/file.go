package rule

import (
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/digest"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// document is the content of rules.yaml.
type document struct {
	Version   version                  `yaml:"version"`
	Timezone  zone                     `yaml:"timezone"`
	Vars      vars                     `yaml:"vars"`
	Routes    map[string]route         `yaml:"routes"`
	Calendars map[string]calendarEntry `yaml:"calendars"`
	Defaults  map[string]defaults      `yaml:"defaults"`
	Rules     []entry                  `yaml:"rules"`
	Tests     elsewhere                `yaml:"tests"` // see package ruletest
	Digest    digest.Config            `yaml:"digest"`

	at yamldoc.Cursor
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
type vars struct{ value event.Value }

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (v *vars) UnmarshalYAMLDoc(at yamldoc.Cursor) { v.value = YAMLValue(at) }

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
		f, ok := parseNumber(text)
		if !ok {
			at.Fault("unsupported number %s: write it in decimal", text)
		}
		return event.LiteralValue(text, f)
	}
	return event.StringValue(text)
}

// route maps severities to channels.
type route struct {
	severities map[alert.Severity][]reference
	quiet      *quiet // nil: none
	at         yamldoc.Cursor
}

// reference is the name of a channel or route, with its place in the file.
type reference struct {
	name string
	at   yamldoc.Cursor
}

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (r *reference) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	r.at = at
	r.name, _ = at.Scalar()
}

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (r *route) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	r.at, r.severities = at, make(map[alert.Severity][]reference)
	for _, k := range at.Keys() {
		if k.Name == "quiet" {
			r.quiet = new(quiet)
			k.Value.Decode(r.quiet)
			continue
		}
		severity := alert.Severity(k.Name)
		if severity.Rank() == 0 {
			k.At.Unknown(k.Name, append(severityNames(), "quiet"))
			continue
		}
		var names []reference
		k.Value.Decode(&names)
		r.severities[severity] = names
	}
}

func severityNames() []string {
	var names []string
	for _, s := range alert.Severities() {
		names = append(names, string(s))
	}
	return names
}

type defaults struct {
	Where *yamldoc.Scalar `yaml:"where"`
}

// entry is one rule of the file.
type entry struct {
	Name     string           `yaml:"name"`
	Topic    topicList        `yaml:"topic"`
	When     yamldoc.Scalar   `yaml:"when"`
	Where    *yamldoc.Scalar  `yaml:"where"`
	Severity *yamldoc.Scalar  `yaml:"severity"`
	Key      []yamldoc.Scalar `yaml:"key"`
	GroupBy  []yamldoc.Scalar `yaml:"group_by"`
	Throttle time.Duration    `yaml:"throttle"`
	Expire   time.Duration    `yaml:"expire"`
	Clear    *yamldoc.Scalar  `yaml:"clear"`
	Remind   time.Duration    `yaml:"remind"`
	To       []reference      `yaml:"to"`
	Title    yamldoc.Scalar   `yaml:"title"`
	Text     yamldoc.Scalar   `yaml:"text"`
	Fields   []fieldEntry     `yaml:"fields"`
	Runbook  string           `yaml:"runbook"`

	at yamldoc.Cursor
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

// fieldEntry is a field of the alert: an expression, or a label with an
// expression or a template.
type fieldEntry struct {
	label string
	value yamldoc.Scalar
}

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (f *fieldEntry) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	if !at.IsMapping() {
		f.value.UnmarshalYAMLDoc(at)
		return
	}
	keys := at.Keys()
	if len(keys) != 1 {
		at.Fault("a field is one expression or one label with its expression")
	}
	for _, k := range keys {
		f.label = k.Name
		f.value.UnmarshalYAMLDoc(k.Value)
	}
}
