package tree

import (
	"slices"

	"github.com/expr-lang/expr/ast"
)

// Callee returns the name of the function that a node calls.
func Callee(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.BuiltinNode:
		return n.Name, true
	case *ast.CallNode:
		return n.Callee.String(), true
	}
	return "", false
}

// IsFixed reports whether a node's value is known at load; variables: also if it depends
// on variables, which people change.
func IsFixed(n ast.Node, variables bool) bool {
	if IsConstant(n) && (variables || !usesVariable(n)) {
		return true
	}
	switch n.(type) {
	case *ast.UnaryNode, *ast.BinaryNode, *ast.ArrayNode, *ast.ChainNode, *ast.ConditionalNode:
		return !slices.ContainsFunc(Children(n), func(child ast.Node) bool { return !IsFixed(child, variables) })
	}
	return false
}

func usesVariable(n ast.Node) bool {
	return IsVariable(n) || slices.ContainsFunc(Children(n), usesVariable)
}

// Unfold splits a.b[c].d into its base a, the names b that follow directly, and
// the remaining properties c and d.
func Unfold(n ast.Node) (names []string, base ast.Node, rest []ast.Node) {
	var properties []ast.Node
	for {
		switch m := n.(type) {
		case *ast.ChainNode:
			n = m.Node
			continue
		case *ast.MemberNode:
			properties = append(properties, m.Property)
			n = m.Node
			continue
		}
		break
	}
	slices.Reverse(properties)
	for i, p := range properties {
		name, ok := p.(*ast.StringNode)
		if !ok {
			return names, n, properties[i:]
		}
		names = append(names, name.Value)
	}
	return names, n, nil
}

// IsInvariant reports whether a node has the same value for every element of
// its predicate.
func IsInvariant(n ast.Node) bool {
	switch n.(type) {
	case *ast.PointerNode:
		return false
	case *ast.PredicateNode:
		return true // its # is an element of another list
	}
	for _, child := range Children(n) {
		if !IsInvariant(child) {
			return false
		}
	}
	return true
}

// Children returns the direct children of a node.
func Children(n ast.Node) []ast.Node {
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

// Size returns the number of nodes of an expression.
func Size(n ast.Node) int {
	count := 1
	for _, child := range Children(n) {
		count += Size(child)
	}
	return count
}

// IsConstant reports whether a node's value is known at load: a literal, a
// variable, or a list of these.
func IsConstant(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.NilNode, *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.StringNode:
		return true
	case *ast.ArrayNode:
		for _, e := range n.Nodes {
			if !IsConstant(e) {
				return false
			}
		}
		return true
	}
	return IsVariable(n)
}

// IsVariable reports whether a node is vars or a path below it.
func IsVariable(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value == "vars"
	case *ast.ChainNode:
		return IsVariable(n.Node)
	case *ast.MemberNode:
		_, name := n.Property.(*ast.StringNode)
		return name && IsVariable(n.Node)
	}
	return false
}

// DynamicList returns the first list of the event in a node that depends on the
// element, such as event.lists[#.name]; nil: none.
func DynamicList(n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		if n.Value == "event" || n.Value == "ce" {
			return n
		}
	case *ast.ChainNode:
		return DynamicList(n.Node)
	case *ast.MemberNode:
		if DynamicList(n.Node) != nil {
			return n
		}
	case *ast.ConditionalNode:
		return firstNode(DynamicList(n.Exp1), DynamicList(n.Exp2))
	case *ast.BinaryNode:
		if n.Operator == "??" {
			return firstNode(DynamicList(n.Left), DynamicList(n.Right))
		}
	case *ast.BuiltinNode:
		if len(n.Arguments) == 2 && (n.Name == "filter" || n.Name == "map") {
			return DynamicList(n.Arguments[0])
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
