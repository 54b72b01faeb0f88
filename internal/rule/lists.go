package rule

import (
	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
)

// listFunctions are the functions with a predicate; it is optional for sum and count.
var listFunctions = map[string]func(list event.Value, eval func(event.Value) event.Value) event.Value{
	"any": func(list event.Value, eval func(event.Value) event.Value) event.Value {
		return event.BoolValue(contains(list, eval, true))
	},
	"all": func(list event.Value, eval func(event.Value) event.Value) event.Value {
		return event.BoolValue(!contains(list, eval, false))
	},
	"none": func(list event.Value, eval func(event.Value) event.Value) event.Value {
		return event.BoolValue(!contains(list, eval, true))
	},
	"count": func(list event.Value, eval func(event.Value) event.Value) event.Value {
		n := 0
		for i := range list.Len() {
			if eval(list.At(i)).Bool() {
				n++
			}
		}
		return event.NumberValue(float64(n))
	},
	"filter": func(list event.Value, eval func(event.Value) event.Value) event.Value {
		var out []event.Value
		for i := range list.Len() {
			if e := list.At(i); eval(e).Bool() {
				out = append(out, e)
			}
		}
		return event.ArrayValue(out)
	},
	"map": func(list event.Value, eval func(event.Value) event.Value) event.Value {
		out := make([]event.Value, list.Len())
		for i := range out {
			out[i] = eval(list.At(i))
		}
		return event.ArrayValue(out)
	},
	"sum": func(list event.Value, eval func(event.Value) event.Value) event.Value {
		total := 0.0
		for i := range list.Len() {
			total += numberOrNaN(eval(list.At(i)))
		}
		return computed(total)
	},
}

// contains reports whether the predicate is want for an element.
func contains(list event.Value, eval func(event.Value) event.Value, want bool) bool {
	for i := range list.Len() {
		if eval(list.At(i)).Bool() == want {
			return true
		}
	}
	return false
}

func (c *compiler) listCall(n ast.Node, name string, apply func(event.Value, func(event.Value) event.Value) event.Value, arguments []ast.Node) value {
	if len(arguments) == 0 || len(arguments) > 2 {
		return c.fault(n, "%s() takes a list and a condition for its elements", name)
	}
	list := c.value(arguments[0])
	c.warnDynamicList(arguments[0])
	if len(arguments) == 1 {
		return func(s *scope) event.Value {
			return apply(listOrEmpty(list(s)), func(v event.Value) event.Value {
				s.spend(1)
				s.spendRead(v)
				return v
			})
		}
	}
	predicate, ok := arguments[1].(*ast.PredicateNode)
	if !ok {
		return c.fault(arguments[1], "%s() takes a condition for the list's elements", name)
	}
	memoized := c.memoized
	c.depth, c.memoized = c.depth+1, false
	eval := c.value(predicate.Node)
	c.depth, c.memoized = c.depth-1, memoized
	steps := 1 + nodes(predicate.Node)
	if name == "map" || name == "filter" {
		steps += newElement
	}
	return func(s *scope) event.Value {
		v := listOrEmpty(list(s))
		if v.Len() == 0 {
			return apply(v, nil)
		}
		s.elements = append(s.elements, event.Value{})
		top := len(s.elements) - 1
		out := apply(v, func(e event.Value) event.Value {
			s.spend(steps)
			s.elements[top] = e
			out := eval(s)
			s.spendRead(out) // sum converts it to a number
			return out
		})
		s.elements = s.elements[:top]
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
