package rule

import (
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
)

// MaxSteps limits the steps of all rules on one event. A step takes 10 to 100 ns,
// so an event takes at most about a second. The count depends only on the rules
// and the event. Only work that grows with the event is counted:
//   - an element that a predicate reads: 1, plus 1 per node of the predicate;
//   - an element that is compared, summed, printed or looked up: 1;
//   - an element of a new list: newElement;
//   - text: 1 per 16 bytes read beyond shortText, 1 per 4 bytes built, and
//     patternCost per byte that a regular expression reads.
const MaxSteps = 10_000_000

// Costs in steps, and the sizes below which an operation is not counted.
const (
	newElement  = 8   // steps of an element of a new list
	setElement  = 16  // steps of an element of a new set
	parsedTime  = 100 // steps of a text that is parsed as a time
	shortText   = 64  // bytes
	smallObject = 32  // members
)

// meter counts steps. The zero meter has no limit.
type meter struct{ spent, limit int }

// overBudget is the panic value at the limit; Set.Match recovers it.
type overBudget struct{}

// spend counts n steps. Beyond the limit it panics with overBudget.
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

// spendRead counts reading a value, if it is a text.
func (m *meter) spendRead(v event.Value) {
	if v.Kind() == event.String && len(v.Text()) > shortText {
		m.spend(len(v.Text()) >> 4)
	}
}

// spendText counts building n bytes of text.
func (m *meter) spendText(n int) {
	if n > shortText {
		m.spend(n >> 2)
	}
}

// member returns v.Get(name) and counts the search.
func (m *meter) member(v event.Value, name string) event.Value {
	if n := v.Len(); n > smallObject {
		m.spend(n>>2 + n*len(name)>>8)
	}
	return v.Get(name)
}

// usage is the most expensive rule on one event.
type usage struct {
	rule  string
	steps int
}

// add records the steps of one rule.
func (c *usage) add(rule string, steps int) {
	if steps > c.steps {
		c.rule, c.steps = rule, steps
	}
}

func (c *usage) error(limit int) error {
	err := outcome.Errorf(outcome.RuleBudget, "rule %s took %d of the limit of %d steps for all rules on one event", c.rule, min(c.steps, limit), limit)
	err.Rule = c.rule
	return err
}
