package rule

import (
	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/expr/tree"
)

// A predicate's subexpression that does not depend on the element is evaluated
// once per event, so that a large list or text is read once.

// isOnce reports whether a node is evaluated once per event: it stands in a predicate
// and does not depend on the element.
func (c *compiler) isOnce(n ast.Node) bool {
	return c.depth > 0 && !c.memoized && !tree.IsConstant(n) && tree.IsInvariant(n)
}

// memoize caches the value of an expression in the scope.
func (c *compiler) memoize(eval value) value {
	slot := c.slot()
	return func(s *scope) event.Value {
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
func (c *compiler) slot() int {
	if c.nextSlot == nil {
		c.nextSlot = new(int)
	}
	*c.nextSlot++
	return *c.nextSlot - 1
}

// cached is the cached value of one expression.
type cached struct {
	valid bool
	value event.Value
	set   *calc.Set // value's elements, for in; nil: search linearly
}

// cache holds the memoized values of a scope.
type cache struct {
	slots   []cached
	headers event.Value // meta.headers
}

func (s *scope) cached(slot int) *cached {
	c := s.caches()
	for len(c.slots) <= slot {
		c.slots = append(c.slots, cached{})
	}
	return &c.slots[slot]
}

// caches returns the scope's cache and creates it on first use.
func (s *scope) caches() *cache {
	if s.cache == nil {
		s.cache = &cache{}
	}
	return s.cache
}

// warnDynamicList warns of a list in a predicate that may be read once per
// element: the steps grow with the product of both lengths.
func (c *compiler) warnDynamicList(n ast.Node) {
	if c.depth == 0 || c.memoized {
		return
	}
	if list := tree.DynamicList(n); list != nil {
		_, base, _ := tree.Unfold(list)
		c.warn(base, "%s may be read once per element of the outer list: two lists of 3,000 elements exceed the step limit of an event", list)
	}
}
