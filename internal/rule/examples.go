package rule

import (
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// examples are the sample events that an expression is checked with.
type examples struct {
	topics   []topics.Name // of the rule
	complete bool          // each topic has a sample or a schema
	builtIn  bool          // one of the topics has built-in samples
	list     []instance    // at least one, for the constants
	use      use

	schemas   []Schema // of the topics; nil: none
	described bool     // there is a schema
	strict    bool     // faults of types and paths are errors
}

// use is what an expression is for.
type use int

const (
	forValue use = iota
	forCondition
	forKey
	forText
)

// instance is a sample event; in a predicate, with one of the elements.
type instance struct {
	name  string // of the sample
	scope *scope
	live  bool // the rule matches it and evaluates the inspected node

	ofSchema bool // it is no sample, but an example of a schema
}

func (in instance) eval(f value) event.Value {
	s := *in.scope
	return f(&s)
}

// examples returns the samples of the topics. They are live if they match.
func (b *builder) examples(sources []topics.Name, matches truth, use use) *examples {
	found := make(map[topics.Name]bool)
	ex := &examples{topics: sources, use: use}
	for _, s := range b.env.Samples {
		topic := topics.Name(s.Event.Record.Topic)
		if !slices.Contains(sources, topic) {
			continue
		}
		found[topic] = true
		ex.builtIn = ex.builtIn || s.BuiltIn
		in := instance{name: s.Name, scope: &scope{ev: &s.Event, now: s.Event.Time}}
		in.live = matches == nil || matches(&scope{ev: &s.Event, now: s.Event.Time})
		ex.list = append(ex.list, in)
	}
	b.addShapes(ex, found)
	if len(ex.list) == 0 {
		now := time.Now()
		ex.list = []instance{{scope: &scope{ev: &event.Event{Doc: event.ObjectValue(nil), Time: now}, now: now}}}
	}
	return ex
}

// unsampled warns once of each topic with rules and without samples.
func (b *builder) unsampled() {
	for _, topic := range topics.All() {
		if b.env.Shapes[topic].Schema != nil {
			continue
		}
		hasRule := func(e entry) bool { return len(e.Topic) == 0 || slices.Contains(e.Topic, topic) }
		isOf := func(s Sample) bool { return s.Event.Record.Topic == string(topic) }
		i := slices.IndexFunc(b.doc.Rules, hasRule)
		if i < 0 || len(b.env.Samples) == 0 || slices.ContainsFunc(b.env.Samples, isOf) {
			continue
		}
		b.warn(b.doc.Rules[i].at.Field("topic").Pos(), "%s has no sample event: fields and types of its rules are not checked", topic)
		b.of(yamldoc.NotInSamples)
	}
}
