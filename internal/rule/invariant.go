package rule

import (
	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
)

// What does not depend on a predicate's element is evaluated once per event, and
// not once per element: a list or a text that is large is then walked once. The
// language has no name for the element of an outer list, so this holds for every
// list inside a predicate but those that the element itself leads to or chooses.

// once keeps the value of an expression for as long as its scope lives.
func (c *compiler) once(of value) value {
	slot := c.slot()
	return func(s *scope) event.Value {
		k := s.kept(slot)
		if !k.known {
			v := of(s) // may keep others, so that k moves
			k = s.kept(slot)
			k.value, k.known = v, true
		}
		return k.value
	}
}

// slot returns where a scope keeps one more value; compilers of one set share
// their numbers.
func (c *compiler) slot() int {
	if c.slots == nil {
		c.slots = new(int)
	}
	*c.slots++
	return *c.slots - 1
}

// kept is what a scope keeps of one expression.
type kept struct {
	known bool
	value event.Value
	set   *set // of value's elements, for in; nil: it is searched one by one
}

// keeps is what a scope keeps. Most scopes have none.
type keeps struct {
	slots   []kept
	headers event.Value // meta.headers
}

func (s *scope) kept(slot int) *kept {
	k := s.memory()
	for len(k.slots) <= slot {
		k.slots = append(k.slots, kept{})
	}
	return &k.slots[slot]
}

func (s *scope) memory() *keeps {
	if s.keeps == nil {
		s.keeps = &keeps{}
	}
	return s.keeps
}

// invariant reports whether a node's value is the same for every element of the
// predicate that it stands in.
func invariant(n ast.Node) bool {
	switch n.(type) {
	case *ast.PointerNode:
		return false
	case *ast.PredicateNode:
		return true // its # is an element of its own list
	}
	for _, child := range children(n) {
		if !invariant(child) {
			return false
		}
	}
	return true
}

// children returns the nodes directly below one of the language.
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

// nodes returns how many nodes an expression has.
func nodes(n ast.Node) int {
	count := 1
	for _, child := range children(n) {
		count += nodes(child)
	}
	return count
}

// fixed reports whether a node's value is known at load: a literal, a variable, or
// a list of these. It is compiled to a constant.
func fixed(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.NilNode, *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.StringNode:
		return true
	case *ast.ArrayNode:
		for _, e := range n.Nodes {
			if !fixed(e) {
				return false
			}
		}
		return true
	}
	return variable(n)
}

// variable reports whether a node is vars, or a path of names below it.
func variable(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value == "vars"
	case *ast.ChainNode:
		return variable(n.Node)
	case *ast.MemberNode:
		_, name := n.Property.(*ast.StringNode)
		return name && variable(n.Node)
	}
	return false
}

// chosen returns the first list of the event in a node that depends on the
// element: the element chooses it, so that the same list may be walked for each
// element; nil: there is none.
func chosen(n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		if n.Value == "event" || n.Value == "ce" {
			return n
		}
	case *ast.ChainNode:
		return chosen(n.Node)
	case *ast.MemberNode:
		if of := chosen(n.Node); of != nil {
			return n
		}
	case *ast.ConditionalNode:
		return firstNode(chosen(n.Exp1), chosen(n.Exp2))
	case *ast.BinaryNode:
		if n.Operator == "??" {
			return firstNode(chosen(n.Left), chosen(n.Right))
		}
	case *ast.BuiltinNode:
		if len(n.Arguments) == 2 && (n.Name == "filter" || n.Name == "map") {
			return chosen(n.Arguments[0])
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

// warnChosen warns of a list, in a predicate, that may be walked for each element:
// the steps grow with the product of both lengths.
func (c *compiler) warnChosen(n ast.Node) {
	if c.depth == 0 || c.whole {
		return
	}
	if list := chosen(n); list != nil {
		_, base, _ := c.unfold(list) // where it begins
		c.warn(base, "%s may be walked for each element of the outer list: two lists of 3,000 use up the steps of an event", list)
	}
}
