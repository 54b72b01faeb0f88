package tree

import "github.com/expr-lang/expr/ast"

// Inverse has the orderings that are true where the others are false.
var Inverse = map[string]string{"<": ">=", "<=": ">", ">": "<=", ">=": "<"}

// IsJoin reports whether a node is an and, or an or.
func IsJoin(n ast.Node, operator string) bool {
	b, ok := n.(*ast.BinaryNode)
	return ok && (b.Operator == operator || b.Operator == map[string]string{"and": "&&", "or": "||"}[operator])
}

// Joined returns the operands of nested ands, or of nested ors.
func Joined(n ast.Node, operator string) []ast.Node {
	if !IsJoin(n, operator) {
		return []ast.Node{n}
	}
	b := n.(*ast.BinaryNode)
	return append(Joined(b.Left, operator), Joined(b.Right, operator)...)
}

// Mirrored has the operators for exchanged operands.
var Mirrored = map[string]string{"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

// Operators are those of the language.
var Operators = []string{
	"==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "and", "or", "not", "in",
	"contains", "startsWith", "endsWith", "matches", "?:", "??",
}
