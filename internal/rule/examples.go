package rule

import (
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr"
	"github.com/algotrade/notifier/internal/topics"
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
	scope *expr.Scope
	live  bool // the rule matches it and evaluates the inspected node

	ofSchema bool // it is no sample, but an example of a schema
}

func (in instance) eval(f expr.Value) event.Value {
	s := *in.scope
	return f(&s)
}
