package rule

import (
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr"
	"github.com/algotrade/notifier/internal/expr/lint"
	"github.com/algotrade/notifier/internal/rulesfile"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Shape is what is known of a topic's events besides samples.
type Shape struct {
	Schema Schema // nil: none
	Strict bool   // faults of types and paths are errors
}

// Schema is a schema of a topic's events.
type Schema interface {
	// Examples returns documents that have all members that the schema names, with values
	// of the types that it allows.
	Examples() []event.Value
	// Texts returns the texts that it allows at a path, if it lists them.
	Texts(path ...string) []string
}

// examples are what the expressions of a rule are checked with.
type examples struct {
	lint.Examples
	builtIn bool // one of the topics has built-in samples
	strict  bool // faults of types and paths are errors
}

// addShapes adds what is known of the topics to their samples: the examples of a schema
// are instances that no rule matches.
func (b *builder) addShapes(ex *examples, sampled map[topics.Name]bool) {
	ex.Complete = true
	for _, topic := range ex.Topics {
		shape := b.env.Shapes[topic]
		ex.strict = ex.strict || shape.Strict
		if shape.Schema == nil {
			ex.Schemas = append(ex.Schemas, nil)
			ex.Complete = ex.Complete && sampled[topic]
			continue
		}
		ex.Schemas = append(ex.Schemas, shape.Schema)
		ex.Described = true
		if b.documents == nil {
			b.documents = make(map[topics.Name][]event.Value)
		}
		if b.documents[topic] == nil {
			b.documents[topic] = shape.Schema.Examples()
		}
		now := time.Now()
		for _, doc := range b.documents[topic] {
			ev := &event.Event{Record: event.Record{Topic: string(topic)}, Doc: doc, Time: now}
			ex.List = append(ex.List, lint.Instance{Scope: &expr.Scope{Event: ev, Now: now}, OfSchema: true})
		}
	}
}

// Environment is what a rules file is checked against.
type Environment struct {
	Channels []string // configured channels; nil: unknown, any name is accepted
	Samples  []Sample // decoded events; a path that no sample has is a warning
	Shapes   map[topics.Name]Shape
}

// Sample is an event with its name.
type Sample struct {
	Name    string
	Event   event.Event
	BuiltIn bool // none of the producers' own: their events may have other fields
}

// examples returns the samples of the topics. They are live if they match.
func (b *builder) examples(sources []topics.Name, matches expr.Truth, use lint.Use) *examples {
	found := make(map[topics.Name]bool)
	ex := &examples{Examples: lint.Examples{Topics: sources, Use: use}}
	for _, s := range b.env.Samples {
		topic := topics.Name(s.Event.Record.Topic)
		if !slices.Contains(sources, topic) {
			continue
		}
		found[topic] = true
		ex.builtIn = ex.builtIn || s.BuiltIn
		in := lint.Instance{Name: s.Name, Scope: &expr.Scope{Event: &s.Event, Now: s.Event.Time}}
		in.Live = matches == nil || matches(&expr.Scope{Event: &s.Event, Now: s.Event.Time})
		ex.List = append(ex.List, in)
	}
	b.addShapes(ex, found)
	if len(ex.List) == 0 {
		now := time.Now()
		ex.List = []lint.Instance{{Scope: &expr.Scope{Event: &event.Event{Doc: event.ObjectValue(nil), Time: now}, Now: now}}}
	}
	return ex
}

// unsampled warns once of each topic with rules and without samples.
func (b *builder) unsampled() {
	for _, topic := range topics.All() {
		if b.env.Shapes[topic].Schema != nil {
			continue
		}
		hasRule := func(e rulesfile.Entry) bool { return len(e.Topic) == 0 || slices.Contains(e.Topic, topic) }
		isOf := func(s Sample) bool { return s.Event.Record.Topic == string(topic) }
		i := slices.IndexFunc(b.doc.Rules, hasRule)
		if i < 0 || len(b.env.Samples) == 0 || slices.ContainsFunc(b.env.Samples, isOf) {
			continue
		}
		b.warn(b.doc.Rules[i].At.Field("topic").Pos(), "%s has no sample event: fields and types of its rules are not checked", topic)
		b.of(yamldoc.NotInSamples)
	}
}
