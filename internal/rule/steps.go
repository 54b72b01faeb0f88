package rule

import (
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
)

// MaxSteps is how many steps all rules together may take on one event. A step is
// ten to a hundred nanoseconds, so an event takes a second at most. The count
// depends on the rules and the event alone, never on the machine.
//
// What a rule costs whatever the event holds is not counted: the file of rules
// bounds that. What grows with the event is:
//   - a list's element that a predicate looks at: one, and one per operator, name
//     and literal of the predicate;
//   - an element that is compared, added up, printed or looked up: one;
//   - an element of a new list: newElement;
//   - 16 bytes of text that is read, beyond the first shortText; one byte of text
//     that a regular expression reads; four bytes of text that is made.
const MaxSteps = 10_000_000

const (
	// newElement is what an element of a new list counts, which takes memory.
	newElement = 8
	// setElement is what an element of a set counts: see newSet.
	setElement = 16
	// parsedTime is what a text that is read as a time counts.
	parsedTime = 100
	// shortText is up to how many bytes reading a text is part of the operator.
	shortText = 64
	// smallObject is up to how many members a lookup is part of the path.
	smallObject = 32
)

// meter counts steps. The zero meter has no limit.
type meter struct{ spent, limit int }

// overBudget is what evaluation panics with at the limit. Set.Match recovers.
type overBudget struct{}

// spend counts n steps. At the limit it unwinds the whole evaluation.
func (m *meter) spend(n int) {
	if m.spent += n; m.spent > m.limit {
		m.exceeded()
	}
}

func (m *meter) exceeded() {
	if m.limit > 0 {
		panic(overBudget{})
	}
}

// read counts the reading of n bytes of text.
func (m *meter) read(n int) {
	if n > shortText {
		m.spend(n >> 4)
	}
}

// reads counts the reading of a value, if it is a text.
func (m *meter) reads(v event.Value) {
	if v.Kind() == event.String {
		m.read(len(v.Text()))
	}
}

// made counts the making of n bytes of text.
func (m *meter) made(n int) {
	if n > shortText {
		m.spend(n >> 2)
	}
}

// lookUp counts the search for a name among n members.
func (m *meter) lookUp(n int, name string) { m.spend(n>>2 + n*len(name)>>8) }

// member is v.Get(name).
func (m *meter) member(v event.Value, name string) event.Value {
	if v.Len() > smallObject {
		m.lookUp(v.Len(), name)
	}
	return v.Get(name)
}

// costs is what the rules have taken of one event's steps.
type costs struct {
	rule  string // that has taken most
	steps int
}

// add notes what a rule has taken.
func (c *costs) add(rule string, steps int) {
	if steps > c.steps {
		c.rule, c.steps = rule, steps
	}
}

func (c *costs) error(limit int) error {
	err := outcome.Errorf(outcome.RuleBudget, "rule %s took %d of the %d steps that all rules may take on one event", c.rule, min(c.steps, limit), limit)
	err.Rule = c.rule
	return err
}
