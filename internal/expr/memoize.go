package expr

import (
	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/tree"
)

// A predicate's subexpression that does not depend on the element is evaluated
// once per event, so that a large list or text is read once.

// isOnce reports whether a node is evaluated once per event: it stands in a predicate
// and does not depend on the element.
func (c *Compiler) isOnce(n ast.Node) bool {
	return c.Depth > 0 && !c.memoized && !tree.IsConstant(n) && tree.IsInvariant(n)
}

// memoize caches the value of an expression in the scope.
func (c *Compiler) memoize(eval Value) Value {
	slot := c.slot()
	return func(s *Scope) event.Value {
		cached := s.cached(slot)
		if !cached.valid {
			v := eval(s) // may grow the cache, which moves the slots
			cached = s.cached(slot)
			cached.value, cached.valid = v, true
		}
		return cached.value
	}
}

// slot returns the next unused slot of the cache.
func (c *Compiler) slot() int {
	if c.NextSlot == nil {
		c.NextSlot = new(int)
	}
	*c.NextSlot++
	return *c.NextSlot - 1
}

// warnDynamicList warns of a list in a predicate that may be read once per
// element: the steps grow with the product of both lengths.
func (c *Compiler) warnDynamicList(n ast.Node) {
	if c.Depth == 0 || c.memoized {
		return
	}
	if list := tree.DynamicList(n); list != nil {
		_, base, _ := tree.Unfold(list)
		c.warn(base, "%s may be read once per element of the outer list: two lists of 3,000 elements exceed the step limit of an event", list)
	}
}
