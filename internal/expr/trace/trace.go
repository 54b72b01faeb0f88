// Package trace shows how a condition comes to its result for an event: which of its parts
// are true, and what they read. It evaluates the parts beside the compiled condition.
// Start reading at Tracer.Trace.
package trace

import (
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/expr/tree"
)

// Part is a part of a condition: an and, an or, or what these join.
type Part struct {
	// Start and End are its place in the source of the condition, in characters.
	Start int    `json:"start"`
	End   int    `json:"end"`
	Text  string `json:"text"`
	True  bool   `json:"true"`
	Join  string `json:"join,omitempty"`  // and, or; empty: it joins nothing
	Parts []Part `json:"parts,omitempty"` // that it joins
	// Values are what it compares, of one that joins nothing.
	Values []Value `json:"values,omitempty"`
	Note   string  `json:"note,omitempty"` // why it could not be true
}

// Conjuncts returns the parts that all have to be true.
func (p *Part) Conjuncts() []Part {
	if p.Join == "and" {
		return p.Parts
	}
	return []Part{*p}
}

// Decisive returns the parts because of which a false one is false: of an and the first
// false one, of an or all. A true one has none.
func (p *Part) Decisive() []Part {
	switch {
	case p.True:
		return nil
	case p.Join == "and":
		if i := slices.IndexFunc(p.Parts, func(x Part) bool { return !x.True }); i >= 0 {
			return p.Parts[i].Decisive()
		}
		return nil
	case p.Join == "or":
		var all []Part
		for i := range p.Parts {
			all = append(all, p.Parts[i].Decisive()...)
		}
		return all
	}
	return []Part{*p}
}

// Tracer evaluates the parts of conditions on one event.
type Tracer struct {
	Vars  event.Value
	Zone  *time.Location
	Limit int // of steps, for each part
	Event *event.Event
	Now   time.Time
	// Hint says of a path that the event does not have what was probably meant; nil: nothing.
	Hint func(path []string) string
}

// Trace evaluates a condition and its parts.
func (t *Tracer) Trace(e *expr.Expression) Part { return t.part(e.Node, []rune(e.Source)) }

// part evaluates a node as a condition, and each of what it joins.
func (t *Tracer) part(n ast.Node, source []rune) Part {
	start, end := tree.Span(n, source)
	p := Part{Start: start, End: end, Text: tree.OneLine(string(source[start:end]))}
	for _, join := range []string{"and", "or"} {
		if !tree.IsJoin(n, join) {
			continue
		}
		p.Join, p.True = join, join == "and"
		for _, operand := range tree.Joined(n, join) {
			one := t.part(operand, source)
			p.Parts = append(p.Parts, one)
			if one.True != (join == "and") {
				p.True = one.True
			}
		}
		return p
	}
	v, ok := t.eval(n)
	p.True = v.Bool()
	p.Values = t.values(n)
	if !ok {
		p.Note = "it takes more steps than all rules may take on one event"
	} else if !p.True {
		p.Note = t.note(n, v)
	}
	return p
}

// eval evaluates a node; ok is false if it takes more than the steps of an event.
func (t *Tracer) eval(n ast.Node) (v event.Value, ok bool) {
	defer func() {
		if r := recover(); r != nil && r != any(calc.OverBudget{}) {
			panic(r)
		}
	}()
	return (&expr.Compiler{Vars: t.Vars, Zone: t.Zone}).Value(n)(&expr.Scope{Event: t.Event, Now: t.Now, Meter: calc.Meter{Limit: t.Limit}}), true
}

// Reads returns the values of a part, in words.
func (p *Part) Reads() string {
	var values []string
	for _, v := range p.Values {
		text := v.Text
		if text == "" {
			text = v.Type
		}
		values = append(values, v.Name+" is "+text)
	}
	if len(values) == 0 {
		return ""
	}
	return ", where " + strings.Join(values, " and ")
}

// Branches returns the conditions of a conditional that were looked at, in their order.
func (t *Tracer) Branches(e *expr.Expression) (tested []Part) {
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
