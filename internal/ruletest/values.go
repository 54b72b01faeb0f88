package ruletest

import (
	"time"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/rulesfile"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

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
	d.Value = rulesfile.YAMLValue(at)
}

// member is a value of a member.
type member struct{ event.Value }

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (m *member) UnmarshalYAMLDoc(at yamldoc.Cursor) { m.Value = rulesfile.YAMLValue(at) }

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
