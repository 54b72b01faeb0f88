package expr

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/expr/tree"
)

// interpreter evaluates without memoization, sets and step counting. Compiled
// expressions must agree with it.
type interpreter struct {
	ev       *event.Event
	vars     event.Value
	elements []event.Value
}

func (r *interpreter) eval(n ast.Node) event.Value {
	switch n := n.(type) {
	case *ast.NilNode:
		return event.NullValue()
	case *ast.BoolNode:
		return event.BoolValue(n.Value)
	case *ast.IntegerNode:
		return event.LiteralValue(strconv.Itoa(n.Value), float64(n.Value))
	case *ast.FloatNode:
		return event.NumberValue(n.Value)
	case *ast.StringNode:
		return event.StringValue(n.Value)
	case *ast.ArrayNode:
		return event.ArrayValue(r.all(n.Nodes))
	case *ast.ChainNode:
		return r.eval(n.Node)
	case *ast.PointerNode:
		return r.elements[len(r.elements)-1]
	case *ast.IdentifierNode:
		switch n.Value {
		case "event":
			return r.ev.Doc
		case "ce":
			return r.ev.CE
		case "vars":
			return r.vars
		}
	case *ast.MemberNode:
		if strings.HasPrefix(n.String(), "meta.") && tree.IsInvariant(n) { // a leaf: it has no loops
			c := &Compiler{}
			return c.Value(n)(&Scope{Event: r.ev})
		}
		return r.index(r.eval(n.Node), r.eval(n.Property))
	case *ast.UnaryNode:
		v := r.eval(n.Node)
		switch n.Operator {
		case "not", "!":
			return event.BoolValue(!v.Bool())
		case "-":
			v = digits(v)
			if math.IsNaN(v.Float()) || math.Abs(v.Float()) < 1<<53 {
				return event.NumberValue(-v.Float())
			}
			if text := strings.TrimPrefix(v.Text(), "-"); text != v.Text() {
				return event.LiteralValue(text, -v.Float())
			}
			return event.LiteralValue("-"+strings.TrimPrefix(v.Text(), "+"), -v.Float())
		}
		return digits(v)
	case *ast.BinaryNode:
		return r.binary(n)
	case *ast.ConditionalNode:
		if r.eval(n.Cond).Bool() {
			return r.eval(n.Exp1)
		}
		return r.eval(n.Exp2)
	case *ast.BuiltinNode:
		return r.call(n.Name, n.Arguments)
	case *ast.CallNode:
		return r.call(n.Callee.String(), n.Arguments)
	}
	panic(fmt.Sprintf("%T", n))
}

func (r *interpreter) all(list []ast.Node) []event.Value {
	out := make([]event.Value, len(list))
	for i, n := range list {
		out[i] = r.eval(n)
	}
	return out
}

func (r *interpreter) index(v, at event.Value) event.Value {
	switch {
	case v.Kind() == event.Object && at.Kind() == event.String:
		return v.Get(at.Text())
	case v.Kind() == event.Array && at.Kind() == event.Number && at.Float() == math.Trunc(at.Float()) && math.Abs(at.Float()) <= math.MaxInt32:
		if i := int(at.Float()); i >= 0 {
			return v.At(i)
		}
		return v.At(v.Len() + int(at.Float()))
	}
	return event.Value{}
}

func (r *interpreter) binary(n *ast.BinaryNode) event.Value {
	a := r.eval(n.Left)
	switch n.Operator {
	case "and", "&&":
		return event.BoolValue(a.Bool() && r.eval(n.Right).Bool())
	case "or", "||":
		return event.BoolValue(a.Bool() || r.eval(n.Right).Bool())
	case "??":
		if !a.IsNil() && (a.Kind() != event.Number || !math.IsNaN(a.Float())) {
			return a
		}
		return r.eval(n.Right)
	}
	b := r.eval(n.Right)
	texts := a.Kind() == event.String && b.Kind() == event.String
	x, y := calc.NumberOrNaN(a), calc.NumberOrNaN(b)
	ordered := func(want func(sign int) bool) event.Value {
		sign, ok := r.compare(a, b)
		if texts && !ok {
			sign, ok = strings.Compare(a.Text(), b.Text()), true
		}
		return event.BoolValue(ok && want(sign))
	}
	switch n.Operator {
	case "==":
		return event.BoolValue(r.equal(a, b))
	case "!=":
		for _, v := range []event.Value{a, b} {
			if v.Kind() == event.Number && math.IsNaN(v.Float()) {
				return event.BoolValue(false)
			}
		}
		return event.BoolValue(!r.equal(a, b))
	case "<":
		return ordered(func(sign int) bool { return sign < 0 })
	case "<=":
		return ordered(func(sign int) bool { return sign <= 0 })
	case ">":
		return ordered(func(sign int) bool { return sign > 0 })
	case ">=":
		return ordered(func(sign int) bool { return sign >= 0 })
	case "in":
		return event.BoolValue(r.in(a, b))
	case "contains":
		return event.BoolValue(texts && strings.Contains(a.Text(), b.Text()))
	case "startsWith":
		return event.BoolValue(texts && strings.HasPrefix(a.Text(), b.Text()))
	case "endsWith":
		return event.BoolValue(texts && strings.HasSuffix(a.Text(), b.Text()))
	case "matches":
		return event.BoolValue(texts && regexp.MustCompile(b.Text()).MatchString(a.Text()))
	}
	if n.Operator == "+" {
		return r.plus(n, a, b)
	}
	return calc.Arithmetic(n.Operator, x, y)
}

func (r *interpreter) plus(n *ast.BinaryNode, a, b event.Value) event.Value {
	x, y := calc.NumberOrNaN(a), calc.NumberOrNaN(b)
	joined := IsText(n, r.vars)
	texts := a.Kind() == event.String && b.Kind() == event.String
	switch {
	case !joined && (!texts || !math.IsNaN(x+y)):
		return calc.Computed(x + y)
	case r.text(a) == calc.Missing && a.Kind() != event.String, r.text(b) == calc.Missing && b.Kind() != event.String:
		return event.Value{}
	}
	return event.StringValue(r.text(a) + r.text(b))
}

// digits returns a number with its digits.
func digits(v event.Value) event.Value {
	f := calc.NumberOrNaN(v)
	switch {
	case math.IsNaN(f):
		return event.NumberValue(f)
	case v.Kind() == event.Number:
		return v
	}
	if (f < 0 || strings.ContainsAny(v.Text(), ",(")) && math.Abs(f) < 1<<53 {
		return event.NumberValue(f)
	}
	text := strings.NewReplacer(",", "", "(", "-", ")", "").Replace(strings.Fields(v.Text())[0])
	return event.LiteralValue(strings.TrimPrefix(text, "+"), f)
}

var whole = regexp.MustCompile(`^([+-]?|\()(\d[\d,]*)(?:\.0*)?\)?( [A-Z0-9]+)?$`)

// wholeNumber returns the value of a whole number; nil: it is none.
func wholeNumber(v event.Value) *big.Int {
	m := whole.FindStringSubmatch(strings.TrimSpace(v.Text()))
	if m == nil {
		return nil
	}
	n, _ := new(big.Int).SetString(strings.ReplaceAll(m[2], ",", ""), 10)
	if m[1] == "-" || m[1] == "(" {
		n.Neg(n)
	}
	return n
}

// compare compares numbers.
func (r *interpreter) compare(a, b event.Value) (sign int, ok bool) {
	x, y := calc.NumberOrNaN(a), calc.NumberOrNaN(b)
	if p, q := wholeNumber(a), wholeNumber(b); x == y && p != nil && q != nil {
		return p.Cmp(q), true
	}
	return cmp.Compare(x, y), !math.IsNaN(x) && !math.IsNaN(y)
}

func (r *interpreter) in(v, list event.Value) bool {
	if list.Kind() == event.Object {
		return v.Kind() == event.String && list.Get(v.Text()).Kind() != event.Missing
	}
	for i := range list.Len() {
		if r.equal(v, list.At(i)) {
			return true
		}
	}
	return false
}

func (r *interpreter) equal(a, b event.Value) bool {
	number, text := a.Kind() == event.Number, a.Kind() == event.String
	switch {
	case a.IsNil() || b.IsNil():
		nothing := func(v event.Value) bool { return v.IsNil() || v.Kind() == event.Number && math.IsNaN(v.Float()) }
		return nothing(a) && nothing(b)
	case number && b.Kind() == event.Number, number && b.Kind() == event.String, text && b.Kind() == event.Number:
		sign, ok := r.compare(a, b)
		return ok && sign == 0
	case a.Kind() != b.Kind():
		return false
	}
	switch a.Kind() {
	case event.String:
		return a.Text() == b.Text()
	case event.Bool:
		return a.Bool() == b.Bool()
	case event.Array:
		for i := range min(a.Len(), b.Len()) {
			if !r.equal(a.At(i), b.At(i)) {
				return false
			}
		}
		return a.Len() == b.Len()
	}
	for _, v := range []event.Value{a, b} {
		for i := range v.Len() {
			if name := v.At(i).Name(); !r.equal(a.Get(name), b.Get(name)) {
				return false
			}
		}
	}
	return true
}

func (r *interpreter) call(name string, arguments []ast.Node) event.Value {
	if over, ok := listFunctions[name]; ok {
		list, of := listOrEmpty(r.eval(arguments[0])), func(v event.Value) event.Value { return v }
		if len(arguments) == 2 {
			of = func(v event.Value) event.Value {
				r.elements = append(r.elements, v)
				out := r.eval(arguments[1].(*ast.PredicateNode).Node)
				r.elements = r.elements[:len(r.elements)-1]
				return out
			}
		}
		one := &Scope{Elements: make([]event.Value, 1)}
		return over(one, list, &predicate{eval: func(s *Scope) event.Value { return of(s.Elements[0]) }})
	}
	args := r.all(arguments)
	switch name {
	case "join":
		list, separator := listOrEmpty(args[0]), ", "
		if len(args) == 2 {
			separator = args[1].Text()
		}
		var texts []string
		for i := range list.Len() {
			texts = append(texts, r.text(list.At(i)))
		}
		return event.StringValue(strings.Join(texts, separator))
	case "min", "max":
		if len(args) == 1 && args[0].Kind() == event.Array {
			list := args[0]
			args = nil
			for i := range list.Len() {
				args = append(args, list.At(i))
			}
		}
		best := event.NumberValue(math.NaN())
		for i, v := range args {
			v = digits(v)
			switch sign, ok := r.compare(v, best); {
			case math.IsNaN(v.Float()):
				return v
			case i == 0, ok && (sign < 0) == (name == "min") && sign != 0:
				best = v
			}
		}
		return best
	}
	return functions[name].call(&Compiler{Zone: time.UTC})(&Scope{Now: fixedNow}, args)
}

// text prints a whole value.
func (r *interpreter) text(v event.Value) string {
	switch v.Kind() {
	case event.Missing, event.Null:
		return calc.Missing
	case event.Bool:
		return strconv.FormatBool(v.Bool())
	case event.Number:
		if math.IsNaN(v.Float()) {
			return calc.Missing
		}
		return v.Text()
	case event.String:
		return v.Text()
	}
	var texts []string
	for i := range v.Len() {
		text := r.text(v.At(i))
		if v.Kind() == event.Object {
			text = v.At(i).Name() + " " + text
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}
