// Package lint finds what is probably wrong with expressions that compile: by evaluating
// them on sample events, whether the types fit and the names exist, and by comparing
// constants, whether a condition depends on the event. Start reading at Checker.Check.
package lint

import (
	"fmt"
	"slices"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/expr/tree"
)

// Checker looks for what is wrong with expressions that compile. It has a method for each
// kind of warning; they share what nodes were observed to be and the list of problems.
type Checker struct {
	Vars     event.Value
	Zone     *time.Location
	Examples *Examples // of Check

	problems []expr.Problem
	depth    int                        // nested predicates
	observed map[ast.Node][]event.Value // of the nodes of the checked expression
	chained  map[ast.Node]bool          // parts of ands and ors that are checked
}

// Check returns what is wrong with an expression that compiles.
func (c *Checker) Check(e expr.Expression) []expr.Problem {
	at := c.Examples.List
	c.problems, c.observed, c.chained = nil, make(map[ast.Node][]event.Value), make(map[ast.Node]bool)
	if c.Examples.Use == ForCondition {
		at = c.narrow(at, e.Node, true)
		c.wantCondition(e.Node, at)
	}
	c.infer(e.Node, at)
	if len(c.problems) == 0 {
		c.empty(e, at)
	}
	return c.problems
}

func (c *Checker) warn(n ast.Node, format string, args ...any) {
	c.problems = append(c.problems, expr.Problem{At: n.Location().From, Message: fmt.Sprintf(format, args...), Warning: true})
}

// empty warns of a key or a hole without a value in every sample that the rule matches.
func (c *Checker) empty(e expr.Expression, at []Instance) {
	isEmpty := func(in Instance) bool { return !in.Live || calc.Display(in.Eval(e.Eval)) == calc.Missing }
	isLive := func(in Instance) bool { return in.Live }
	if !slices.ContainsFunc(at, isLive) || slices.ContainsFunc(at, func(in Instance) bool { return !isEmpty(in) }) {
		return
	}
	switch c.Examples.Use {
	case ForText:
		c.warn(e.Node, "{{ %s }} is empty in every sample that the rule matches", tree.OneLine(e.Source))
	case ForKey:
		c.warn(e.Node, "%s is missing in every sample that the rule matches: these alerts share one key", tree.OneLine(e.Source))
	}
}

// observe returns the values of a node. It evaluates each node once, so that a long
// condition takes a time in proportion.
func (c *Checker) observe(n ast.Node, at []Instance) []event.Value {
	if values, ok := c.observed[n]; ok {
		return values
	}
	values := make([]event.Value, len(at))
	if b, ok := n.(*ast.BinaryNode); ok && slices.Contains([]string{"and", "&&", "or", "||"}, b.Operator) {
		left, right := c.observe(b.Left, at), c.observe(b.Right, at)
		for i := range values {
			if values[i] = left[i]; left[i].Bool() == (b.Operator == "and" || b.Operator == "&&") {
				values[i] = right[i]
			}
			values[i] = event.BoolValue(values[i].Bool())
		}
	} else {
		eval := (&expr.Compiler{Vars: c.Vars, Zone: c.Zone, Depth: c.depth}).Value(n)
		for i, in := range at {
			values[i] = in.Eval(eval)
		}
	}
	c.observed[n] = values
	return values
}

// narrow returns the instances; those for which a condition is not want are not live.
func (c *Checker) narrow(at []Instance, condition ast.Node, want bool) []Instance {
	narrowed := slices.Clone(at)
	for i, v := range c.observe(condition, at) {
		narrowed[i].Live = at[i].Live && v.Bool() == want
	}
	return narrowed
}
