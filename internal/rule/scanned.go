package rule

import (
	"cmp"
	"math"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/expr/tree"
)

// What a Prefilter compiles otherwise than Match: the paths of an event.

// scanned compiles a path below a root other than vars for a prefilter.
func (c *compiler) scanned(root string, path []string) value {
	switch {
	case root == "ce": // no CloudEvent is scanned
		return constant(event.Value{})
	case root != "event" || len(path) == 0:
		return func(s *scope) event.Value {
			s.undecided = true
			return event.Value{}
		}
	}
	at, cost := c.scanner.Find(path), readCost(path)
	return func(s *scope) event.Value {
		s.Spend(cost * s.size >> 10)
		f := &s.found[at]
		v, ok := f.Value()
		if !ok {
			v, ok = s.lists.Read(f)
			s.undecided = s.undecided || !ok
		}
		return v
	}
}

// scannedOrder compiles the comparison of a path with a number for a prefilter, without
// copies: the usual condition. nil: it is none.
func (c *compiler) scannedOrder(left ast.Node, right *event.Value, accepts [3]bool) truth {
	names, base, rest := tree.Unfold(left)
	root, ok := base.(*ast.IdentifierNode)
	y, isNumber := calc.Number(*right)
	if c.scanner == nil || !ok || root.Value != "event" || len(names) == 0 || rest != nil || !isNumber || right.Kind() != event.Number || math.Abs(y) >= calc.Exact {
		return nil
	}
	generic, at, cost := c.scanned(root.Value, names), c.scanner.Find(names), readCost(names)
	return func(s *scope) bool {
		f := &s.found[at]
		switch f.Kind() {
		case event.Missing, event.Null:
			s.Spend(cost * s.size >> 10)
			return false
		case event.Number:
			s.Spend(cost * s.size >> 10)
			x := f.Number()
			return x-x == 0 && accepts[cmp.Compare(x, y)+1] // of a number beyond float64 there is no order
		}
		x := generic(s)
		sign, ok := s.Order(&x, right)
		return ok && accepts[sign+1]
	}
}

// readCost returns at least the steps of calc.Meter.Member for a path, for each KiB of an event, in which a member takes 5
// bytes or more.
func readCost(path []string) int {
	cost := 0
	for _, name := range path {
		cost += 64 + len(name)
	}
	return cost
}
