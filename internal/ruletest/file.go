// Package ruletest runs the tests of rules: events on a clock of their own, and the alerts
// that they raise. Start reading at Parse and Env.Run.
package ruletest

import (
	"maps"
	"time"

	"github.com/algotrade/notifier/internal/yamldoc"
)

// Test is one event, or several in Events, with what they lead to. What is written at the
// test holds for each of its events that does not say otherwise.
type Test struct {
	Name   string     `yaml:"name"`
	Topic  topic      `yaml:"topic"`
	Sample string     `yaml:"sample"` // its name; empty: the event is in Event alone
	Event  document   `yaml:"event"`  // members that replace those of the sample
	At     moment     `yaml:"at"`     // when the clock starts; zero: at the first event's time
	Repeat Repeat     `yaml:"repeat"`
	Expect []Expected `yaml:"expect"` // of each event; nil: not checked
	Events []Step     `yaml:"events"`

	Channels   map[string]Channel  `yaml:"channels"`   // that do not send as the configuration says
	Within     time.Duration       `yaml:"within"`     // how long the clock runs; 0: until windows have ended
	Messages   map[string]Messages `yaml:"messages"`   // by channel; others are not checked
	Suppressed []Suppressed        `yaml:"suppressed"` // others are not checked

	Pos yamldoc.Pos
	at  yamldoc.Cursor
}

// Step is an event of a test, or the same event several times.
type Step struct {
	Topic  topic         `yaml:"topic"`
	Sample string        `yaml:"sample"`
	Event  document      `yaml:"event"`
	At     moment        `yaml:"at"`    // when it happens,
	After  time.Duration `yaml:"after"` // or how long after the clock started
	Repeat Repeat        `yaml:"repeat"`
	Expect []Expected    `yaml:"expect"`

	at  yamldoc.Cursor
	own bool // Expect is written here, and not at the test
}

// Repeat says how often an event happens, at equal distances.
type Repeat struct {
	Times int                 `yaml:"times"` // 0: once
	Over  time.Duration       `yaml:"over"`  // from the first until after the last
	Vary  map[string][]member `yaml:"vary"`  // values that a member has in turn
}

// maxEvents limits the events of a test.
const maxEvents = 10_000

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
	channels := make(map[string]Channel) // of all tests
	if !t.ofRules {
		for _, k := range at.Keys() {
			if k.Name != "tests" && k.Name != "channels" {
				k.At.Unknown(k.Name, []string{"tests", "channels"})
			}
		}
		if at.Has("channels") {
			at.Field("channels").Decode(&channels)
		}
	}
	if at.Has("tests") {
		at.Field("tests").Decode(&t.tests)
	}
	for i := range t.tests {
		own := t.tests[i].Channels
		t.tests[i].Channels = maps.Clone(channels)
		maps.Copy(t.tests[i].Channels, own)
	}
}

// CheckYAML implements yamldoc.Checker.
func (t *Test) CheckYAML(at yamldoc.Cursor) {
	t.Pos, t.at = at.Pos(), at
	if !at.IsMapping() {
		return // reported by the decoder
	}
	if !at.Has("name") {
		at.Field("name").Fault("is missing")
	}
	if at.Has("events") && at.Has("repeat") {
		at.Field("repeat").Fault("belongs to one of the events")
	}
	steps := []yamldoc.Cursor{at}
	if at.Has("events") {
		if steps = at.Field("events").Items(); len(steps) == 0 {
			at.Field("events").Fault("is empty")
		}
	}
	checked, events := at.Has("expect") || at.Has("messages") || at.Has("suppressed"), 0
	for i, step := range steps {
		if !step.Has("topic") && !at.Has("topic") {
			step.Field("topic").Fault("is missing")
		}
		checked = checked || step.Has("expect")
		if i < len(t.Events) {
			events += t.Events[i].Repeat.times()
		}
		if !step.Has("sample") && !step.Has("event") && !at.Has("sample") && !at.Has("event") {
			step.Field("event").Fault("is missing: write event or the name of a sample")
		}
	}
	if !checked {
		at.Field("expect").Fault("is missing: write the alerts that the event raises, or messages")
	}
	if t.Within < 0 {
		at.Field("within").Fault("is negative")
	}
	if events > maxEvents {
		at.Field("events").Fault("are %d with repetitions: a test has at most %d", events, maxEvents)
	}
}

// CheckYAML implements yamldoc.Checker.
func (s *Step) CheckYAML(at yamldoc.Cursor) {
	s.at, s.own = at, at.Has("expect")
	if at.Has("at") && at.Has("after") {
		at.Field("after").Fault("at says when the event happens: leave one out")
	}
	if s.After < 0 {
		at.Field("after").Fault("is negative")
	}
}

// CheckYAML implements yamldoc.Checker.
func (r *Repeat) CheckYAML(at yamldoc.Cursor) {
	if at.IsMapping() && (r.Times < 1 || r.Times > maxEvents) {
		at.Field("times").Fault("is not between 1 and %d", maxEvents)
	}
	if r.Over < 0 {
		at.Field("over").Fault("is negative")
	}
	for name, values := range r.Vary {
		if len(values) == 0 {
			at.Field("vary").Field(name).Fault("has no value")
		}
	}
}
