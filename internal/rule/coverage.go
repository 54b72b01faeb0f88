package rule

import (
	"slices"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr"
	"github.com/algotrade/notifier/internal/expr/tree"
)

// Branch is one way in which a rule decides about an event, such as one side of an or.
type Branch struct {
	Rule   string
	Text   string // such as: fires if event.leverage > vars.max_leverage
	Events int    // that took it
}

// Coverage counts the branches that events take: whether a rule fires, is kept from it by
// its where, or is resolved; each alternative of an or, where the ones before it are false;
// each severity of a conditional; in and outside of quiet hours.
type Coverage struct {
	set      *Set
	branches map[*rule][]*branch
	nextSlot *int
}

type branch struct {
	Branch
	taken func(*decision) bool
}

// decision is what a rule decided about an event.
type decision struct {
	fires, kept, clears bool // when is true, with where or not; clear is, and when is not
	severity            alert.Severity
	at                  time.Time   // of the event
	scope               *expr.Scope // of the expressions that Coverage compiles
}

// NewCoverage returns the branches of a set's rules, which no event has taken yet.
func NewCoverage(s *Set) *Coverage {
	c := &Coverage{set: s, branches: make(map[*rule][]*branch), nextSlot: new(int)}
	for _, r := range s.rules {
		c.addRule(r)
	}
	return c
}

// addRule lists the branches of a rule.
func (c *Coverage) addRule(r *rule) {
	fires := func(d *decision) bool { return d.fires }
	c.add(r, "fires", fires)
	c.alternatives(r, "fires if ", r.when.Node, fires)
	if r.choice.Node != nil {
		c.severities(r, r.choice.Node, fires, "otherwise")
	}
	if c.hasWhere(r) {
		c.add(r, "where is false", func(d *decision) bool { return d.kept })
	}
	if r.clear != nil {
		clears := func(d *decision) bool { return d.clears }
		c.add(r, "is resolved", clears)
		c.alternatives(r, "is resolved if ", r.clear.when.Node, clears)
	}
	c.quiet(r)
}

func (c *Coverage) add(r *rule, text string, taken func(*decision) bool) {
	c.branches[r] = append(c.branches[r], &branch{Branch{Rule: r.name, Text: text}, taken})
}

// compile compiles a part of an expression.
func (c *Coverage) compile(n ast.Node) expr.Truth {
	return (&expr.Compiler{Vars: c.set.vars, Zone: c.set.zone, NextSlot: c.nextSlot}).Condition(n)
}

// alternatives adds the operands of each or in a condition that is evaluated where reached
// is true.
func (c *Coverage) alternatives(r *rule, prefix string, n ast.Node, reached func(*decision) bool) {
	switch {
	case n == nil:
	case tree.IsJoin(n, "or"):
		for _, operand := range tree.Joined(n, "or") {
			holds, before := c.compile(operand), reached
			taken := func(d *decision) bool { return before(d) && holds(d.scope) }
			c.add(r, prefix+tree.Source(operand), taken)
			c.alternatives(r, prefix, operand, taken)
			reached = func(d *decision) bool { return before(d) && !holds(d.scope) }
		}
	case tree.IsJoin(n, "and"):
		holds := c.compile(n)
		for _, part := range tree.Joined(n, "and") {
			c.alternatives(r, prefix, part, func(d *decision) bool { return reached(d) && holds(d.scope) })
		}
	}
}

// severities adds the branches of a conditional severity.
func (c *Coverage) severities(r *rule, n ast.Node, reached func(*decision) bool, when string) {
	switch n := n.(type) {
	case *ast.StringNode:
		c.add(r, n.Value+" "+when, reached)
	case *ast.ConditionalNode:
		holds := c.compile(n.Cond)
		c.severities(r, n.Exp1, func(d *decision) bool { return reached(d) && holds(d.scope) }, "if "+tree.Source(n.Cond))
		c.severities(r, n.Exp2, func(d *decision) bool { return reached(d) && !holds(d.scope) }, "otherwise")
	}
}

// hasWhere reports whether a condition can keep a rule from firing.
func (c *Coverage) hasWhere(r *rule) bool {
	for _, topic := range r.topics {
		for _, t := range c.set.byTopic[string(topic)] {
			if t.rule == r && t.where != nil && t.where.Node != nil && !tree.IsConstant(t.where.Node) {
				return true
			}
		}
	}
	return false
}

// quiet adds what is in and outside of each of a rule's quiet hours.
func (c *Coverage) quiet(r *rule) {
	var seen []*quietHours
	for _, severity := range r.severities {
		for _, destination := range r.quietly[severity] {
			q := destination.quiet
			if q == nil || slices.Contains(seen, q) {
				continue
			}
			seen = append(seen, q)
			concerns := func(on bool) func(*decision) bool {
				return func(d *decision) bool { return d.fires && q.Covers(d.severity) && q.calendar.On(d.at) == on }
			}
			c.add(r, "in the quiet hours "+q.During.Name, concerns(true))
			c.add(r, "outside the quiet hours "+q.During.Name, concerns(false))
		}
	}
}

// Note counts the branches that an event takes; now is what Match gets.
func (c *Coverage) Note(ev *event.Event, now time.Time) {
	own := &expr.Scope{Event: ev, Now: now}
	sc := &expr.Scope{Event: ev, Now: now}
	for _, t := range c.set.byTopic[ev.Record.Topic] {
		d := decision{at: ev.Time, scope: own}
		passes := t.where == nil || t.where.Test(sc)
		switch when := t.when.Test(sc); {
		case when && passes:
			d.fires, d.severity = true, t.severity(sc)
		case when:
			d.kept = true
		default:
			d.clears = t.clear != nil && passes && t.clear.when.Test(sc)
		}
		if !d.fires && !d.kept && !d.clears {
			continue
		}
		for _, b := range c.branches[t.rule] {
			if b.taken(&d) {
				b.Events++
			}
		}
	}
}

// Branches returns the branches in the order of the rules, those of a rule in the order in
// which it decides.
func (c *Coverage) Branches() []Branch {
	var list []Branch
	for _, r := range c.set.rules {
		for _, b := range c.branches[r] {
			list = append(list, b.Branch)
		}
	}
	return list
}
