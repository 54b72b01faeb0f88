package expr

import (
	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/expr/tree"
)

// smallList is the largest list that is searched linearly, in elements.
const smallList = 16

// in compiles v in list. A long list that is constant or invariant becomes a set.
func (c *Compiler) in(n *ast.BinaryNode) Truth {
	v, list := c.Value(n.Left), c.Value(n.Right)
	switch {
	case tree.IsConstant(n.Right):
		l := list(nil)
		if l.Kind() != event.Array || l.Len() <= smallList {
			return inSmall(v, l)
		}
		all := calc.NewSet(l)
		return func(s *Scope) bool { return all.Contains(&s.Meter, v(s)) }
	case c.Depth > 0 && !c.memoized && tree.IsInvariant(n.Right):
		slot := c.slot()
		return func(s *Scope) bool {
			x := v(s)
			cached := s.cached(slot)
			if !cached.valid {
				l := list(s) // may grow the cache, which moves the slots
				cached = s.cached(slot)
				cached.value, cached.valid = l, true
				if l.Kind() == event.Array && l.Len() > smallList {
					s.Spend(calc.SetElement * l.Len())
					cached.set = calc.NewSet(l)
				}
			}
			if cached.set != nil {
				return cached.set.Contains(&s.Meter, x)
			}
			return s.Within(&x, &cached.value)
		}
	default:
		c.warnDynamicList(n.Right)
	}
	return func(s *Scope) bool {
		x, l := v(s), list(s)
		return s.Within(&x, &l)
	}
}

// inSmall compiles v in a constant list that is searched linearly. Lists of texts are
// the usual ones.
func inSmall(v Value, list event.Value) Truth {
	texts := make([]string, list.Len())
	for i := range texts {
		if e := list.At(i); list.Kind() == event.Array && e.Kind() == event.String {
			texts[i] = e.Text()
		} else {
			return func(s *Scope) bool { x := v(s); return s.Within(&x, &list) }
		}
	}
	return func(s *Scope) bool {
		x := v(s)
		if x.Kind() != event.String {
			return s.Within(&x, &list)
		}
		for _, text := range texts {
			s.Spend(1)
			if s.EqualTexts(x.Text(), text) {
				return true
			}
		}
		return false
	}
}
