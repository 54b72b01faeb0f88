package expr

import (
	"cmp"
	"math"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/expr/tree"
)

// What a Compiler with a Scanner compiles otherwise: the paths of an event.

// scanned compiles a path below a root other than vars.
func (c *Compiler) scanned(root string, path []string) Value {
	switch {
	case root == "ce": // no CloudEvent is scanned
		return constant(event.Value{})
	case root != "event" || len(path) == 0:
		return func(s *Scope) event.Value {
			s.Undecided = true
			return event.Value{}
		}
	}
	at, cost := c.Scanner.Find(path), ReadCost(path)
	return func(s *Scope) event.Value {
		s.Spend(cost * s.Size >> 10)
		f := &s.Found[at]
		v, ok := f.Value()
		if !ok {
			v, ok = s.lists.Read(f)
			s.Undecided = s.Undecided || !ok
		}
		return v
	}
}

// scannedOrder compiles the comparison of a path with a number, without
// copies: the usual condition. nil: it is none.
func (c *Compiler) scannedOrder(left ast.Node, right *event.Value, accepts [3]bool) Truth {
	names, base, rest := tree.Unfold(left)
	root, ok := base.(*ast.IdentifierNode)
	y, isNumber := calc.Number(*right)
	if c.Scanner == nil || !ok || root.Value != "event" || len(names) == 0 || rest != nil || !isNumber || right.Kind() != event.Number || math.Abs(y) >= calc.Exact {
		return nil
	}
	generic, at, cost := c.scanned(root.Value, names), c.Scanner.Find(names), ReadCost(names)
	return func(s *Scope) bool {
		f := &s.Found[at]
		switch f.Kind() {
		case event.Missing, event.Null:
			s.Spend(cost * s.Size >> 10)
			return false
		case event.Number:
			s.Spend(cost * s.Size >> 10)
			x := f.Number()
			return x-x == 0 && accepts[cmp.Compare(x, y)+1] // of a number beyond float64 there is no order
		}
		x := generic(s)
		sign, ok := s.Order(&x, right)
		return ok && accepts[sign+1]
	}
}

// ReadCost returns at least the steps of calc.Meter.Member for a path, for each KiB of an event, in which a member takes 5
// bytes or more.
func ReadCost(path []string) int {
	cost := 0
	for _, name := range path {
		cost += 64 + len(name)
	}
	return cost
}
