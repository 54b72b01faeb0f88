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
	// Name of the test, in the results.
	Name string `yaml:"name"`
	// Topic of the events.
	Topic topic `yaml:"topic"`
	// Sample is the name of the sample event; without it the event is in event alone.
	Sample string `yaml:"sample"`
	// Event has the members of the event, or those that replace members of the sample.
	Event document `yaml:"event"`
	// At is when the clock starts; default: the first event's time.
	At moment `yaml:"at"`
	// Repeat the event, at equal distances.
	Repeat Repeat `yaml:"repeat"`
	// Expect are the alerts that each event raises; []: none. Without it they are not checked.
	Expect []Expected `yaml:"expect"`
	// Events of the test, if it has several.
	Events []Step `yaml:"events"`

	// Channels that do not send as the configuration says.
	Channels map[string]Channel `yaml:"channels"`
	// Within is how long the clock runs; default: until windows have ended.
	Within time.Duration `yaml:"within"`
	// Messages that people get, by channel; other channels are not checked.
	Messages map[string]Messages `yaml:"messages"`
	// Suppressed counts alerts that are not sent; others are not checked.
	Suppressed []Suppressed `yaml:"suppressed"`

	Pos yamldoc.Pos
	at  yamldoc.Cursor
}

// Step is an event of a test, or the same event several times.
type Step struct {
	// Topic of the event.
	Topic topic `yaml:"topic"`
	// Sample is the name of the sample event; without it the event is in event alone.
	Sample string `yaml:"sample"`
	// Event has the members of the event, or those that replace members of the sample.
	Event document `yaml:"event"`
	// At is when the event happens.
	At moment `yaml:"at"`
	// After is how long after the clock started the event happens.
	After time.Duration `yaml:"after"`
	// Repeat the event, at equal distances.
	Repeat Repeat `yaml:"repeat"`
	// Expect are the alerts that the event raises; []: none.
	Expect []Expected `yaml:"expect"`

	at  yamldoc.Cursor
	own bool // Expect is written here, and not at the test
}

// Repeat says how often an event happens, at equal distances.
type Repeat struct {
	// Times that the event happens.
	Times int `yaml:"times"`
	// Over is the time from the first event until after the last.
	Over time.Duration `yaml:"over"`
	// Vary has values that members have in turn, by path.
	Vary map[string][]member `yaml:"vary"`
}

// MaxEvents limits the events of a test.
const MaxEvents = 10_000

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
	if !at.IsMapping() && !at.IsNull() {
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
	if events > MaxEvents {
		at.Field("events").Fault("are %d with repetitions: a test has at most %d", events, MaxEvents)
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
	if at.IsMapping() && (r.Times < 1 || r.Times > MaxEvents) {
		at.Field("times").Fault("is not between 1 and %d", MaxEvents)
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
