package lint

import (
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr"
	"github.com/algotrade/notifier/internal/topics"
)

// Examples are the events that an expression is checked with.
type Examples struct {
	Topics    []topics.Name // of the rule
	Complete  bool          // each topic has a sample or a schema
	List      []Instance    // at least one, for the constants
	Use       Use
	Schemas   []Schema // of the topics; nil: none
	Described bool     // there is a schema
}

// Schema is what is asked of a schema of events.
type Schema interface {
	// Texts returns the texts that it allows at a path, if it lists them.
	Texts(path ...string) []string
}

// Use is what an expression is for.
type Use int

// The uses.
const (
	ForValue     Use = iota
	ForCondition     // its value has to be a boolean
	ForKey           // its value should not be missing in every sample that the rule matches
	ForText          // as ForKey
)

// Instance is a sample event; in a predicate, with one of the elements.
type Instance struct {
	Name  string // of the sample
	Scope *expr.Scope
	Live  bool // the rule matches it and evaluates the inspected node

	OfSchema bool // it is no sample, but an example of a schema
}

// Eval evaluates an expression on the instance.
func (in Instance) Eval(f expr.Value) event.Value {
	s := *in.Scope
	return f(&s)
}
