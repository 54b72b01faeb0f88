package rule

import (
	"slices"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
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

// tracer evaluates the parts of conditions on one event.
type tracer struct {
	set     *Set
	ev      *event.Event
	now     time.Time
	samples []Sample
}

func (t *tracer) condition(e *expression) Condition {
	return Condition{Source: e.source, Part: t.part(e.node, []rune(e.source))}
}

// part evaluates a node as a condition, and each of what it joins.
func (t *tracer) part(n ast.Node, source []rune) Part {
	start, end := span(n, source)
	p := Part{Start: start, End: end, Text: oneLine(string(source[start:end]))}
	for _, join := range []string{"and", "or"} {
		if !isJoin(n, join) {
			continue
		}
		p.Join, p.True = join, join == "and"
		for _, operand := range joined(n, join) {
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
func (t *tracer) eval(n ast.Node) (v event.Value, ok bool) {
	defer func() {
		if r := recover(); r != nil && r != any(calc.OverBudget{}) {
			panic(r)
		}
	}()
	return (&compiler{vars: t.set.vars, zone: t.set.zone}).value(n)(&scope{ev: t.ev, now: t.now, Meter: calc.Meter{Limit: t.set.steps}}), true
}

// span returns where a node stands in its source. The parser notes where tokens are, so
// that brackets around and behind them have to be found.
func span(n ast.Node, source []rune) (start, end int) {
	start, end = len(source), 0
	var widen func(ast.Node)
	widen = func(n ast.Node) {
		if at := n.Location(); at.To > at.From {
			start, end = min(start, at.From), max(end, at.To)
		}
		for _, child := range children(n) {
			widen(child)
		}
	}
	widen(n)
	if end = min(end, len(source)); start >= end {
		return 0, len(source)
	}
	missing, open := unbalanced(source[start:end])
	for ; missing > 0 && start > 0; start-- {
		if slices.Contains([]rune("([{"), source[start-1]) {
			missing--
		}
	}
	for ; open > 0 && end < len(source); end++ {
		if _, still := unbalanced(source[start : end+1]); still == 0 {
			open = 0
		}
	}
	return start, end
}

// unbalanced returns how many brackets of a text are closed and not opened, and opened and
// not closed. Those in texts do not count.
func unbalanced(source []rune) (missing, open int) {
	quoted := rune(0)
	for i := 0; i < len(source); i++ {
		switch r := source[i]; {
		case quoted != 0:
			if r == '\\' && quoted != '`' {
				i++
			} else if r == quoted {
				quoted = 0
			}
		case slices.Contains([]rune("\"'`"), r):
			quoted = r
		case slices.Contains([]rune("([{"), r):
			open++
		case slices.Contains([]rune(")]}"), r):
			if open--; open < 0 {
				missing, open = missing+1, 0
			}
		}
	}
	return missing, open
}
