package rule

import (
	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
)

// A predicate's subexpression that does not depend on the element is evaluated
// once per event, so that a large list or text is read once.

// isOnce reports whether a node is evaluated once per event: it stands in a predicate
// and does not depend on the element.
func (c *compiler) isOnce(n ast.Node) bool {
	return c.depth > 0 && !c.memoized && !isConstant(n) && isInvariant(n)
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

// isInvariant reports whether a node has the same value for every element of
// its predicate.
func isInvariant(n ast.Node) bool {
	switch n.(type) {
	case *ast.PointerNode:
		return false
	case *ast.PredicateNode:
		return true // its # is an element of another list
	}
	for _, child := range children(n) {
		if !isInvariant(child) {
			return false
		}
	}
	return true
}

// children returns the direct children of a node.
func children(n ast.Node) []ast.Node {
	switch n := n.(type) {
	case *ast.UnaryNode:
		return []ast.Node{n.Node}
	case *ast.BinaryNode:
		return []ast.Node{n.Left, n.Right}
	case *ast.ChainNode:
		return []ast.Node{n.Node}
	case *ast.MemberNode:
		return []ast.Node{n.Node, n.Property}
	case *ast.ConditionalNode:
		return []ast.Node{n.Cond, n.Exp1, n.Exp2}
	case *ast.BuiltinNode:
		return n.Arguments
	case *ast.CallNode:
		return n.Arguments
	case *ast.ArrayNode:
		return n.Nodes
	case *ast.PredicateNode:
		return []ast.Node{n.Node}
	}
	return nil
}

// nodes returns the number of nodes of an expression.
func nodes(n ast.Node) int {
	count := 1
	for _, child := range children(n) {
		count += nodes(child)
	}
	return count
}

// isConstant reports whether a node's value is known at load: a literal, a
// variable, or a list of these.
func isConstant(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.NilNode, *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.StringNode:
		return true
	case *ast.ArrayNode:
		for _, e := range n.Nodes {
			if !isConstant(e) {
				return false
			}
		}
		return true
	}
	return isVariable(n)
}

// isVariable reports whether a node is vars or a path below it.
func isVariable(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value == "vars"
	case *ast.ChainNode:
		return isVariable(n.Node)
	case *ast.MemberNode:
		_, name := n.Property.(*ast.StringNode)
		return name && isVariable(n.Node)
	}
	return false
}

// dynamicList returns the first list of the event in a node that depends on the
// element, such as event.lists[#.name]; nil: none.
func dynamicList(n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		if n.Value == "event" || n.Value == "ce" {
			return n
		}
	case *ast.ChainNode:
		return dynamicList(n.Node)
	case *ast.MemberNode:
		if dynamicList(n.Node) != nil {
			return n
		}
	case *ast.ConditionalNode:
		return firstNode(dynamicList(n.Exp1), dynamicList(n.Exp2))
	case *ast.BinaryNode:
		if n.Operator == "??" {
			return firstNode(dynamicList(n.Left), dynamicList(n.Right))
		}
	case *ast.BuiltinNode:
		if len(n.Arguments) == 2 && (n.Name == "filter" || n.Name == "map") {
			return dynamicList(n.Arguments[0])
		}
	}
	return nil
}

func firstNode(list ...ast.Node) ast.Node {
	for _, n := range list {
		if n != nil {
			return n
		}
	}
	return nil
}

// warnDynamicList warns of a list in a predicate that may be read once per
// element: the steps grow with the product of both lengths.
func (c *compiler) warnDynamicList(n ast.Node) {
	if c.depth == 0 || c.memoized {
		return
	}
	if list := dynamicList(n); list != nil {
		_, base, _ := c.unfold(list)
		c.warn(base, "%s may be read once per element of the outer list: two lists of 3,000 elements exceed the step limit of an event", list)
	}
}
