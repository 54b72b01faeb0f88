package expr

import (
	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/expr/tree"
)

// predicate is what a list function asks of each element.
type predicate struct {
	eval  Value // nil: the element itself
	steps int
}

// of returns the predicate's value for an element.
func (p *predicate) of(s *Scope, e event.Value) event.Value {
	out := e
	s.Spend(p.steps)
	if p.eval != nil {
		s.Elements[len(s.Elements)-1] = e
		out = p.eval(s)
	}
	s.SpendRead(out) // sum converts it to a number
	return out
}

// IsListFunction reports whether a function has a predicate for the elements of a list.
func IsListFunction(name string) bool { return listFunctions[name] != nil }

// listFunctions are the functions with a predicate; it is optional for sum and count.
var listFunctions = map[string]func(s *Scope, list event.Value, p *predicate) event.Value{
	"any": func(s *Scope, list event.Value, p *predicate) event.Value {
		return event.BoolValue(anyIs(s, list, p, true))
	},
	"all": func(s *Scope, list event.Value, p *predicate) event.Value {
		return event.BoolValue(!anyIs(s, list, p, false))
	},
	"none": func(s *Scope, list event.Value, p *predicate) event.Value {
		return event.BoolValue(!anyIs(s, list, p, true))
	},
	"count": func(s *Scope, list event.Value, p *predicate) event.Value {
		n := 0
		for i := range list.Len() {
			if p.of(s, list.At(i)).Bool() {
				n++
			}
		}
		return event.NumberValue(float64(n))
	},
	"filter": func(s *Scope, list event.Value, p *predicate) event.Value {
		var out []event.Value
		for i := range list.Len() {
			if e := list.At(i); p.of(s, e).Bool() {
				out = append(out, e)
			}
		}
		return event.ArrayValue(out)
	},
	"map": func(s *Scope, list event.Value, p *predicate) event.Value {
		out := make([]event.Value, list.Len())
		for i := range out {
			out[i] = p.of(s, list.At(i))
		}
		return event.ArrayValue(out)
	},
	"sum": func(s *Scope, list event.Value, p *predicate) event.Value {
		total := 0.0
		for i := range list.Len() {
			total += calc.NumberOrNaN(p.of(s, list.At(i)))
		}
		return calc.Computed(total)
	},
}

// anyIs reports whether the predicate is want for an element.
func anyIs(s *Scope, list event.Value, p *predicate, want bool) bool {
	for i := range list.Len() {
		if p.of(s, list.At(i)).Bool() == want {
			return true
		}
	}
	return false
}

func (c *Compiler) listCall(n ast.Node, name string, apply func(*Scope, event.Value, *predicate) event.Value, arguments []ast.Node) Value {
	if len(arguments) == 0 || len(arguments) > 2 {
		return c.fault(n, "%s() takes a list and a condition for its elements", name)
	}
	list := c.Value(arguments[0])
	c.warnDynamicList(arguments[0])
	if len(arguments) == 1 {
		itself := &predicate{steps: 1}
		return func(s *Scope) event.Value { return apply(s, listOrEmpty(list(s)), itself) }
	}
	of, ok := arguments[1].(*ast.PredicateNode)
	if !ok {
		return c.fault(arguments[1], "%s() takes a condition for the list's elements", name)
	}
	memoized := c.memoized
	c.Depth, c.memoized = c.Depth+1, false
	eval := c.Value(of.Node)
	c.Depth, c.memoized = c.Depth-1, memoized
	steps := 1 + tree.Size(of.Node)
	if name == "map" || name == "filter" {
		steps += calc.NewElement
	}
	p := &predicate{eval: eval, steps: steps}
	return func(s *Scope) event.Value {
		v := listOrEmpty(list(s))
		s.Elements = append(s.Elements, event.Value{})
		out := apply(s, v, p)
		s.Elements = s.Elements[:len(s.Elements)-1]
		return out
	}
}

// listOrEmpty returns v if it is a list, else an empty list.
func listOrEmpty(v event.Value) event.Value {
	if v.Kind() != event.Array {
		return event.ArrayValue(nil)
	}
	return v
}
