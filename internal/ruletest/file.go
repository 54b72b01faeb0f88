// Package ruletest runs the tests of rules: an event, and the alerts that it raises.
// Start reading at Parse and Env.Run.
package ruletest

import (
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Test is an event with the alerts that it raises.
type Test struct {
	Name   string     `yaml:"name"`
	Topic  topic      `yaml:"topic"`
	Sample string     `yaml:"sample"` // its name; empty: the event is in Event alone
	Event  document   `yaml:"event"`  // members that replace those of the sample
	At     moment     `yaml:"at"`     // when it is evaluated; zero: at the event's time
	Expect []Expected `yaml:"expect"`

	Pos yamldoc.Pos
}

// Expected is an alert. What is not given may be anything.
type Expected struct {
	Rule     string            `yaml:"rule"`
	Severity string            `yaml:"severity"`
	State    string            `yaml:"state"` // firing, which is the default, or resolved
	Key      key               `yaml:"key"`
	To       []string          `yaml:"to"`       // with the channels in which quiet hours drop it
	Channels []string          `yaml:"channels"` // without those
	Title    *string           `yaml:"title"`
	Text     *string           `yaml:"text"`
	Fields   map[string]string `yaml:"fields"`
}

const firing = "firing"

// state returns the state of the alert.
func (e *Expected) state() alert.State {
	if e.State == firing {
		return alert.Firing
	}
	return alert.State(e.State)
}

// Parse returns the tests of a file, and its faults. A rules file may have other keys.
func Parse(file string, data []byte, ofRules bool) ([]Test, yamldoc.Faults) {
	f := tests{ofRules: ofRules}
	faults := yamldoc.Decode(file, "", data, &f)
	return f.tests, faults
}

type tests struct {
	ofRules bool
	tests   []Test
}

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (t *tests) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	if !t.ofRules {
		for _, k := range at.Keys() {
			if k.Name != "tests" {
				k.At.Unknown(k.Name, []string{"tests"})
			}
		}
	}
	if at.Has("tests") {
		at.Field("tests").Decode(&t.tests)
	}
}

// CheckYAML implements yamldoc.Checker.
func (t *Test) CheckYAML(at yamldoc.Cursor) {
	t.Pos = at.Pos()
	if !at.IsMapping() {
		return // reported by the decoder
	}
	for _, name := range []string{"name", "topic", "expect"} {
		if !at.Has(name) {
			at.Field(name).Fault("is missing")
		}
	}
	if !at.Has("sample") && !at.Has("event") {
		at.Field("event").Fault("is missing: write event or the name of a sample")
	}
}

// CheckYAML implements yamldoc.Checker.
func (e *Expected) CheckYAML(at yamldoc.Cursor) {
	if !at.IsMapping() {
		return
	}
	if e.Rule == "" {
		at.Field("rule").Fault("is missing")
	}
	if at.Has("severity") && alert.Severity(e.Severity).Rank() == 0 {
		at.Field("severity").Fault("%q is not one of info, warning and critical", e.Severity)
	}
	if e.State != "" && e.State != firing && e.State != string(alert.Resolved) {
		at.Field("state").Fault("%q is neither firing nor resolved", e.State)
	}
}

type topic struct{ topics.Name }

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (t *topic) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	text, ok := at.Scalar()
	if !ok {
		return
	}
	name, err := topics.Parse(text)
	if err != nil {
		at.Fault("%v", err)
	}
	t.Name = name
}

type document struct{ event.Value }

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (d *document) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	if !at.IsMapping() {
		at.Fault("write the members of the event: event: {symbol: AAPL}")
		return
	}
	d.Value = rule.YAMLValue(at)
}

type moment struct{ time.Time }

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (m *moment) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	text, ok := at.Scalar()
	if !ok {
		return
	}
	t, ok := event.ParseTime(event.StringValue(text))
	if !ok {
		at.Fault("%q is not a time: write it as 2026-11-23T14:31:05Z", text)
	}
	m.Time = t
}

// key is the parts of an alert key, or one text in which they are joined with slashes.
type key struct {
	parts []string
	text  string
	given bool
}

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (k *key) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	k.given = true
	if at.IsSequence() {
		at.Decode(&k.parts)
		return
	}
	k.text, _ = at.Scalar()
}
