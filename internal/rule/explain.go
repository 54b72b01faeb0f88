package rule

import (
	"slices"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr"
)

// Result is what a rule makes of an event.
type Result string

// The results.
const (
	Fires    Result = "fires"
	Resolves Result = "resolves" // clear is true, and when is not
	No       Result = "no"
)

// Explanation is how one rule comes to its result for an event. Its JSON names are a
// contract.
type Explanation struct {
	Rule     string       `json:"rule"`
	Result   Result       `json:"result"`
	When     Condition    `json:"when"`
	Clear    *Condition   `json:"clear"` // nil: the rule has none
	Where    *Condition   `json:"where"` // nil: none applies to the topic
	Severity []Part       `json:"severity_conditions"`
	Alert    *alert.Alert `json:"-"` // that Match raises, without an id; nil: none
}

// Condition is a when, a clear or a where, and what became of its parts.
type Condition struct {
	Source  string `json:"source"`            // as the file has it
	Default bool   `json:"default,omitempty"` // it is the where of the topic
	Part
}

// Explain returns how the rules of the event's topic come to their results, in the order
// of the file. It evaluates the parts of conditions beside Match, whose error it returns.
// samples are events that have what the event may lack.
func (s *Set) Explain(ev *event.Event, now time.Time, samples []Sample) ([]Explanation, error) {
	alerts, err := s.Match(ev, now)
	t := tracer{set: s, ev: ev, now: now, samples: samples}
	var list []Explanation
	for _, r := range s.byTopic[ev.Record.Topic] {
		e := t.rule(r)
		if i := slices.IndexFunc(alerts, func(a alert.Alert) bool { return a.Rule == r.name }); i >= 0 {
			e.Alert = &alerts[i]
		}
		list = append(list, e)
	}
	return list, err
}

func (t *tracer) rule(r *topicRule) Explanation {
	e := Explanation{Rule: r.name, Result: No, When: t.condition(&r.when), Severity: []Part{}}
	passes := true
	if r.where != nil {
		where := t.condition(r.where)
		where.Default = r.where != r.rule.where
		e.Where, passes = &where, where.True
	}
	if r.clear != nil {
		c := t.condition(&r.clear.when)
		e.Clear = &c
	}
	switch {
	case passes && e.When.True:
		e.Result = Fires
		if r.choice.Node != nil {
			e.Severity = t.branches(&r.choice)
		}
	case passes && e.Clear != nil && e.Clear.True:
		e.Result = Resolves
	}
	return e
}

// branches returns the conditions of a severity that were looked at, in their order.
func (t *tracer) branches(e *expr.Expression) (tested []Part) {
	runes := []rune(e.Source)
	for n := e.Node; ; {
		c, ok := n.(*ast.ConditionalNode)
		if !ok {
			return tested
		}
		p := t.part(c.Cond, runes)
		tested = append(tested, p)
		if n = c.Exp2; p.True {
			n = c.Exp1
		}
	}
}

// Tally returns how many of the parts of a rule's conditions are true and false. An or is
// one part; of a rule with clear the conditions of its firing count.
func (e *Explanation) Tally() (yes, no int) {
	for _, c := range []*Condition{&e.When, e.Where} {
		if c == nil {
			continue
		}
		for _, p := range c.Conjuncts() {
			if p.True {
				yes++
			} else {
				no++
			}
		}
	}
	return yes, no
}

// Nearest sorts explanations: those with the fewest false parts first, of these the ones
// with the most true parts.
func Nearest(list []Explanation) {
	slices.SortStableFunc(list, func(a, b Explanation) int {
		aYes, aNo := a.Tally()
		bYes, bNo := b.Tally()
		if aNo != bNo {
			return aNo - bNo
		}
		return bYes - aYes
	})
}
