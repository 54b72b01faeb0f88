// Package calc is what the operators and functions of expressions make of values: numbers
// that are sent as texts, comparisons, and how values are printed. All of it is total, and
// a Meter counts the steps that grow with the values. Start reading at Meter and values.go.
package calc

import "github.com/algotrade/notifier/internal/event"

// MaxSteps limits the steps of all rules on one event. A step takes 10 to 100 ns,
// so an event takes at most about a second. The count depends only on the rules
// and the event. Only work that grows with the event is counted:
//   - an element that a predicate reads: 1, plus 1 per node of the predicate;
//   - an element that is compared, summed, printed or looked up: 1;
//   - an element of a new list: NewElement;
//   - text: 1 per 16 bytes read beyond shortText, 1 per 4 bytes built, and 2 or more
//     per byte that a regular expression reads, by its size.
const MaxSteps = 10_000_000

// Costs in steps, and the sizes below which an operation is not counted.
const (
	NewElement  = 8   // steps of an element of a new list
	SetElement  = 16  // steps of an element of a new set
	ParsedTime  = 100 // steps of a text that is parsed as a time
	shortText   = 64  // bytes
	smallObject = 32  // members
)

// Meter counts steps. The zero meter has no limit.
type Meter struct{ Spent, Limit int }

// OverBudget is the panic value at the limit, to be recovered where the limit was set.
type OverBudget struct{}

// Spend counts n steps. Beyond the limit it panics with OverBudget.
func (m *Meter) Spend(n int) {
	if m.Spent += n; m.Spent > m.Limit {
		m.exceeded()
	}
}

func (m *Meter) exceeded() {
	if m.Limit > 0 {
		panic(OverBudget{})
	}
}

// SpendRead counts reading a value, if it is a text.
func (m *Meter) SpendRead(v event.Value) {
	if v.Kind() == event.String && len(v.Text()) > shortText {
		m.Spend(len(v.Text()) >> 4)
	}
}

// SpendText counts building n bytes of text.
func (m *Meter) SpendText(n int) {
	if n > shortText {
		m.Spend(n >> 2)
	}
}

// Member returns v.Get(name) and counts the search.
func (m *Meter) Member(v event.Value, name string) event.Value {
	if n := v.Len(); n > smallObject {
		m.Spend(n>>2 + n*len(name)>>8)
	}
	return v.Get(name)
}
