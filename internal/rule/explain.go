package rule

import (
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr"
	"github.com/algotrade/notifier/internal/expr/trace"
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
	Severity []trace.Part `json:"severity_conditions"`
	Alert    *alert.Alert `json:"-"` // that Match raises, without an id; nil: none
}

// Condition is a when, a clear or a where, and what became of its parts.
type Condition struct {
	Source  string `json:"source"`            // as the file has it
	Default bool   `json:"default,omitempty"` // it is the where of the topic
	trace.Part
}

// Explain returns how the rules of the event's topic come to their results, in the order
// of the file. It evaluates the parts of conditions beside Match, whose error it returns.
// samples are events that have what the event may lack.
func (s *Set) Explain(ev *event.Event, now time.Time, samples []Sample) ([]Explanation, error) {
	alerts, err := s.Match(ev, now)
	t := s.tracer(ev, now, samples)
	var list []Explanation
	for _, r := range s.byTopic[ev.Record.Topic] {
		e := r.explain(t)
		if i := slices.IndexFunc(alerts, func(a alert.Alert) bool { return a.Rule == r.name }); i >= 0 {
			e.Alert = &alerts[i]
		}
		list = append(list, e)
	}
	return list, err
}

// tracer returns a tracer of conditions on an event.
func (s *Set) tracer(ev *event.Event, now time.Time, samples []Sample) *trace.Tracer {
	return &trace.Tracer{
		Vars: s.vars, Zone: s.zone, Limit: s.steps, Event: ev, Now: now,
		Hint: func(path []string) string { return hint(ev, samples, path) },
	}
}

// explain returns how a rule comes to its result.
func (r *topicRule) explain(t *trace.Tracer) Explanation {
	condition := func(e *expr.Expression) Condition { return Condition{Source: e.Source, Part: t.Trace(e)} }
	e := Explanation{Rule: r.name, Result: No, When: condition(&r.when), Severity: []trace.Part{}}
	passes := true
	if r.where != nil {
		where := condition(r.where)
		where.Default = r.where != r.rule.where
		e.Where, passes = &where, where.True
	}
	if r.clear != nil {
		c := condition(&r.clear.when)
		e.Clear = &c
	}
	switch {
	case passes && e.When.True:
		e.Result = Fires
		if r.choice.Node != nil {
			e.Severity = t.Branches(&r.choice)
		}
	case passes && e.Clear != nil && e.Clear.True:
		e.Result = Resolves
	}
	return e
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
