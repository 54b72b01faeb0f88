package lint

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/duration"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/expr/tree"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/topics"
)

// class is a type of values that an operator or a function takes.
type class struct {
	name string
	fits func(event.Value) bool
}

var (
	aNumber = class{"a number", func(v event.Value) bool { _, ok := calc.Number(v); return ok }}
	aTime   = class{"a time", func(v event.Value) bool { _, ok := event.ParseTime(v); return ok }}
	aText   = class{"a text", func(v event.Value) bool { return v.Kind() == event.String }}
	aList   = class{"a list", func(v event.Value) bool { return v.Kind() == event.Array }}
	aLength = class{"a text or a list", func(v event.Value) bool { return v.Kind() >= event.String }}

	anIndexed = class{"a list or an object", func(v event.Value) bool { return v.Kind() >= event.Array }}
)

// want warns of a node that has values, and none that fits.
func (c *Checker) want(n ast.Node, at []Instance, taker string, what class) {
	if v, ok := c.misfit(n, at, what.fits); ok {
		c.warnType(n, "%s takes %s: %s", taker, what.name, c.describe(n, v, at))
	}
}

// wantCondition warns of a condition that is never true or false.
func (c *Checker) wantCondition(n ast.Node, at []Instance) {
	v, ok := c.misfit(n, at, func(v event.Value) bool { return v.Kind() == event.Bool })
	if !ok {
		return
	}
	name, remedy := tree.Source(n), ""
	switch text := strings.ToLower(v.Text()); {
	case v.Kind() == event.String && tree.IsConstant(n) && slices.Contains([]string{"yes", "no", "on", "off", "y", "n", "true", "false"}, text):
		remedy = "write true or false"
	case v.Kind() == event.String:
		remedy = "compare it, such as " + name + " == " + tree.Quote(v)
	case v.Kind() == event.Number:
		remedy = "compare it, such as " + name + " > 0"
	case v.Kind() == event.Array:
		remedy = "write any(" + name + ", …) or len(" + name + ") > 0"
	default:
		remedy = "write has(" + name + ")"
	}
	c.warnType(n, "%s is never true: %s; %s", name, c.describe(n, v, at), remedy)
}

// misfit returns a value of a node if it has values, and none that fits.
func (c *Checker) misfit(n ast.Node, at []Instance, fits func(event.Value) bool) (v event.Value, ok bool) {
	for _, value := range c.observe(n, at) {
		switch {
		case calc.IsAbsent(value):
		case fits(value):
			return v, false
		case !ok:
			v, ok = value, true
		}
	}
	return v, ok
}

// comparison warns of a comparison with the same result for every sample that has
// both values, because of their types or of the texts that the samples have; warned:
// there is a warning of an operand.
func (c *Checker) comparison(n *ast.BinaryNode, at []Instance, warned bool) {
	if c.neverHas(n, at) {
		return
	}
	a, b := c.observe(n.Left, at), c.observe(n.Right, at)
	first := -1
	var without ast.Node // has no result in a sample
	for i := range a {
		switch {
		case calc.IsNoResult(a[i]) && divides(n.Left):
			without = n.Left
		case calc.IsNoResult(b[i]) && divides(n.Right):
			without = n.Right
		case calc.IsAbsent(a[i]) || calc.IsAbsent(b[i]):
		case calc.AreComparable(n.Operator, a[i], b[i]):
			c.texts(n, n.Left, n.Right, a, at)
			if n.Operator == "==" || n.Operator == "!=" {
				c.texts(n, n.Right, n.Left, b, at)
			}
			return
		case first < 0:
			first = i
		}
	}
	if first < 0 {
		if without != nil && !warned {
			c.warnType(n, "%s is always false: %s has no result in any sample, such as a division by zero", tree.Source(n), tree.Source(without))
		}
		return
	}
	c.warnType(n, "%s is always %v: %s, and %s; %s", tree.Source(n), n.Operator == "!=", c.describe(n.Left, a[first], at), c.describe(n.Right, b[first], at), remedy(n, a[first], b[first]))
}

// divides reports whether a node is a division, which may have no result although it
// has its operands.
func divides(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BinaryNode:
		return n.Operator == "/" || n.Operator == "%"
	case *ast.CallNode:
		return n.Callee.String() == "bps"
	}
	return false
}

// remedy says what to write instead of a comparison of values with these types.
func remedy(n *ast.BinaryNode, a, b event.Value) string {
	left, right := tree.Source(n.Left), tree.Source(n.Right)
	either := func(kind event.Kind) bool { return a.Kind() == kind || b.Kind() == kind }
	switch {
	case n.Operator == "in" && b.Kind() == event.String:
		return fmt.Sprintf("write %s contains %s", right, left)
	case n.Operator == "in" && b.Kind() == event.Array && b.At(0).Kind() == event.Object:
		return fmt.Sprintf("write any(%s, …)", right)
	case n.Operator == "in":
		return "write a list of values of that type"
	case b.Kind() == event.String && a.Kind() == event.Array && n.Operator != "==" && n.Operator != "!=":
		return fmt.Sprintf("write %s in %s", right, left)
	case a.Kind() == event.Array:
		return fmt.Sprintf("write any(%s, # %s %s)", left, n.Operator, right)
	case b.Kind() == event.Array:
		return fmt.Sprintf("write %s in %s", left, right)
	case either(event.Object):
		return "write the name of a member"
	case either(event.Bool):
		return "write true or false without quotes"
	case a.Kind() == event.String && aTime.fits(a):
		return fmt.Sprintf("write age(%s), in seconds", left)
	case b.Kind() == event.String && isDuration(b.Text()):
		return "write seconds as a number"
	case slices.Contains([]string{"contains", "startsWith", "endsWith", "matches"}, n.Operator):
		return "compare numbers with == < <= > >="
	}
	field := a
	if tree.IsConstant(n.Left) {
		field = b
	}
	if aNumber.fits(field) {
		return "compare it with a number"
	}
	return "compare it with a text"
}

func isDuration(text string) bool {
	_, err := duration.Parse(text)
	return err == nil
}

// texts warns of constant texts that a field has in no sample: of another case, or,
// if the field is the event's type, of any.
func (c *Checker) texts(n *ast.BinaryNode, field, constants ast.Node, values []event.Value, at []Instance) {
	if tree.IsConstant(field) || !tree.IsConstant(constants) {
		return
	}
	if listed := c.listed(field); listed != nil && slices.Contains([]string{"==", "!=", "in"}, n.Operator) {
		c.unlisted(constants, field, listed)
		return
	}
	var seen []string
	isType := true
	for i, v := range values {
		if v.Kind() == event.String && !at[i].OfSchema {
			seen = append(seen, v.Text())
			isType = isType && v.Text() != "" && v.Text() == at[i].Scope.Event.Type
		}
	}
	if len(seen) == 0 {
		return
	}
	switch n.Operator {
	case "==", "!=", "in":
		for _, text := range c.literals(constants) {
			c.text(text.node, text.value, field, seen, isType)
		}
	case "contains", "startsWith", "endsWith", "matches":
		if !slices.ContainsFunc(c.observe(n, at), event.Value.Bool) && !c.letters(n, seen) && isType {
			c.warnType(n, "%s is true for no event type in the samples of %s", tree.Source(n), topics.Join(c.Examples.Topics, ", "))
		}
	}
}

// text warns of one text that is not among those seen.
func (c *Checker) text(n ast.Node, text string, field ast.Node, seen []string, isType bool) {
	if slices.Contains(seen, text) {
		return
	}
	if i := slices.IndexFunc(seen, func(s string) bool { return strings.EqualFold(s, text) }); i >= 0 {
		c.warnType(n, "%s is in no sample: %s is %q, and case matters", strconv.Quote(text), tree.Source(field), seen[i])
		return
	}
	if !isType {
		return
	}
	p := expr.Problem{At: n.Location().From, Warning: true, OfTypes: true, Subject: strconv.Quote(text)}
	p.Message = fmt.Sprintf("%q is the event type of no sample of %s", text, topics.Join(c.Examples.Topics, ", "))
	if s := suggest.Closest(text, seen); s != "" {
		p.Near = strconv.Quote(s)
		p.Message += ": did you mean " + p.Near + "?"
	}
	c.problems = append(c.problems, p)
}

type literal struct {
	node  ast.Node
	value string
}

// literals returns the texts of a constant or of a list of constants.
func (c *Checker) literals(n ast.Node) (texts []literal) {
	if list, ok := n.(*ast.ArrayNode); ok {
		for _, e := range list.Nodes {
			texts = append(texts, c.literals(e)...)
		}
		return texts
	}
	v := (&expr.Compiler{Vars: c.Vars}).Value(n)(nil)
	if v.Kind() == event.String {
		texts = append(texts, literal{n, v.Text()})
	}
	for i := range v.Len() {
		if e := v.At(i); v.Kind() == event.Array && e.Kind() == event.String {
			texts = append(texts, literal{n, e.Text()})
		}
	}
	return texts
}
