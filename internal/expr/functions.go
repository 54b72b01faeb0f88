package expr

import (
	"math"
	"slices"
	"sort"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/expr/tree"
	"github.com/algotrade/notifier/internal/suggest"
)

// function is a function of the language, except those with a predicate.
type function struct {
	min, max int // arguments; max < 0: any number
	call     func(c *Compiler) func(s *Scope, args []event.Value) event.Value
}

// scoped returns a function that reads the scope and counts its own steps.
func scoped(minArgs, maxArgs int, f func(s *Scope, args []event.Value) event.Value) function {
	return function{minArgs, maxArgs, func(*Compiler) func(*Scope, []event.Value) event.Value { return f }}
}

// pure returns a function that reads each argument once and no list elements.
func pure(minArgs, maxArgs int, f func(args []event.Value) event.Value) function {
	return scoped(minArgs, maxArgs, func(s *Scope, args []event.Value) event.Value {
		for _, a := range args {
			s.SpendRead(a)
		}
		return f(args)
	})
}

// numeric returns a function of one number.
func numeric(f func(event.Value) event.Value) function {
	return pure(1, 1, func(args []event.Value) event.Value { return f(calc.AsNumber(args[0])) })
}

func textual(f func(string) string) function {
	return scoped(1, 1, func(s *Scope, args []event.Value) event.Value {
		if args[0].Kind() != event.String {
			return event.Value{}
		}
		s.SpendText(len(args[0].Text()))
		return event.StringValue(f(args[0].Text()))
	})
}

// formatter returns a function that formats one value; its result is missing if f fails.
func formatter(f func(event.Value) (string, bool)) function {
	return pure(1, 1, func(args []event.Value) event.Value {
		if s, ok := f(args[0]); ok {
			return event.StringValue(s)
		}
		return event.Value{}
	})
}

// functions are the functions of the language, except listFunctions.
var functions = map[string]function{
	"abs":   numeric(calc.Magnitude),
	"num":   numeric(func(v event.Value) event.Value { return v }),
	"lower": textual(strings.ToLower),
	"upper": textual(strings.ToUpper),
	"trim":  textual(strings.TrimSpace),
	"len":   pure(1, 1, length),
	"min":   scoped(1, -1, func(s *Scope, args []event.Value) event.Value { return extreme(s, args, -1) }),
	"max":   scoped(1, -1, func(s *Scope, args []event.Value) event.Value { return extreme(s, args, 1) }),
	"join":  scoped(1, 2, join),
	"has":   scoped(1, 1, func(_ *Scope, args []event.Value) event.Value { return event.BoolValue(!calc.IsAbsent(args[0])) }),
	"bps": pure(2, 2, func(args []event.Value) event.Value {
		return calc.Computed((calc.NumberOrNaN(args[0])/calc.NumberOrNaN(args[1]) - 1) * 10_000)
	}),
	"money": formatter(calc.Money),
	"pct":   formatter(calc.Percent),
	"qty":   formatter(calc.Quantity),
	"age":   scoped(1, 1, func(s *Scope, args []event.Value) event.Value { return event.NumberValue(age(s, args[0])) }),
	"ago":   scoped(1, 1, func(s *Scope, args []event.Value) event.Value { return calc.Ago(age(s, args[0])) }),
	"clock": {1, 2, func(c *Compiler) func(*Scope, []event.Value) event.Value {
		return func(s *Scope, args []event.Value) event.Value { return clock(s, args, c.Zone) }
	}},
}

// functionNames returns the names of all functions, sorted.
func functionNames() []string {
	var names []string
	for name := range functions {
		names = append(names, name)
	}
	for name := range listFunctions {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func (c *Compiler) call(n ast.Node, name string, arguments []ast.Node) Value {
	if over, ok := listFunctions[name]; ok {
		return c.listCall(n, name, over, arguments)
	}
	f, ok := functions[name]
	if !ok {
		if name == "avg" || name == "mean" || name == "average" {
			return c.fault(n, "unknown function %s(): write sum(x) / len(x)", name)
		}
		if s := suggest.Closest(name, functionNames()); s != "" {
			return c.fault(n, "unknown function %s(): did you mean %s()?", name, s)
		}
		return c.fault(n, "unknown function %s(); the functions are %s", name, strings.Join(functionNames(), ", "))
	}
	if len(arguments) < f.min || f.max >= 0 && len(arguments) > f.max {
		return c.fault(n, "%s() takes %s, found %d", name, argumentCount(f.min, f.max), len(arguments))
	}
	args := make([]Value, len(arguments))
	for i, a := range arguments {
		args[i] = c.Value(a)
	}
	if name == "join" || (name == "min" || name == "max") && len(args) == 1 { // these read all elements
		c.warnDynamicList(arguments[0])
	}
	call := f.call(c)
	if len(args) == 1 {
		eval := args[0]
		return func(s *Scope) event.Value {
			s.one[0] = eval(s) // call evaluates nothing
			return call(s, s.one[:])
		}
	}
	return func(s *Scope) event.Value {
		values := make([]event.Value, len(args))
		for i, a := range args {
			values[i] = a(s)
		}
		return call(s, values)
	}
}

func argumentCount(minArgs, maxArgs int) string {
	words := []string{"no argument", "one argument", "two arguments", "three arguments"}
	switch {
	case maxArgs < 0:
		return "at least " + words[minArgs]
	case minArgs == maxArgs:
		return words[minArgs]
	}
	return words[minArgs] + " or " + words[maxArgs]
}

func length(args []event.Value) event.Value {
	n := 0
	switch v := args[0]; v.Kind() {
	case event.String:
		n = utf8.RuneCountInString(v.Text())
	case event.Array, event.Object:
		n = v.Len()
	}
	return event.NumberValue(float64(n))
}

// extreme returns the minimum (sign -1) or maximum (1) of the arguments or of one list.
func extreme(s *Scope, args []event.Value, sign int) event.Value {
	list := event.ArrayValue(args)
	if len(args) == 1 && args[0].Kind() == event.Array {
		list = args[0]
	}
	if list.Len() == 0 {
		return event.NumberValue(math.NaN())
	}
	s.Spend(list.Len())
	best := event.Value{}
	for i := range list.Len() {
		s.SpendRead(list.At(i))
		v := calc.AsNumber(list.At(i))
		switch {
		case calc.IsNoResult(v):
			return v
		case i == 0 || s.Sign(&v, &best, v.Float(), best.Float()) == sign:
			best = v
		}
	}
	return best
}

func join(s *Scope, args []event.Value) event.Value {
	separator := ", "
	if len(args) == 2 {
		separator = args[1].Text()
	}
	list := listOrEmpty(args[0])
	texts := make([]string, 0, min(list.Len(), 1024))
	for i := range list.Len() {
		s.Spend(1 + len(separator)>>2) // before the text is built: each element adds a separator
		texts = append(texts, calc.DisplayAll(&s.Meter, list.At(i)))
	}
	return event.StringValue(strings.Join(texts, separator))
}

// age returns the seconds from a time until now, NaN if v is not a time.
func age(s *Scope, v event.Value) float64 {
	t, ok := parseTime(s, v)
	if !ok {
		return math.NaN()
	}
	return s.Now.Sub(t).Seconds()
}

func parseTime(s *Scope, v event.Value) (time.Time, bool) {
	if v.Kind() == event.String {
		s.Spend(calc.ParsedTime)
		s.SpendRead(v)
	}
	return event.ParseTime(v)
}

func clock(s *Scope, args []event.Value, zone *time.Location) event.Value {
	t, ok := parseTime(s, args[0])
	if !ok {
		return event.Value{}
	}
	layout := "15:04:05 MST"
	if len(args) == 2 && args[1].Text() != "" {
		layout = args[1].Text()
	}
	s.SpendText(2 * len(layout))
	return event.StringValue(t.In(zone).Format(layout))
}

// textFunctions return a text or nothing.
var textFunctions = []string{"ago", "clock", "join", "lower", "money", "pct", "qty", "trim", "upper"}

// IsText reports whether a node is a text that is no number, for every event: a
// literal, a variable, the result of a text function, or one of these plus something.
func IsText(n ast.Node, vars event.Value) bool {
	switch n := n.(type) {
	case *ast.ChainNode:
		return IsText(n.Node, vars)
	case *ast.ConditionalNode:
		return IsText(n.Exp1, vars) && IsText(n.Exp2, vars)
	case *ast.BinaryNode:
		return n.Operator == "+" && (IsText(n.Left, vars) || IsText(n.Right, vars))
	case *ast.BuiltinNode:
		return slices.Contains(textFunctions, n.Name)
	case *ast.CallNode:
		name, ok := n.Callee.(*ast.IdentifierNode)
		return ok && slices.Contains(textFunctions, name.Value)
	}
	if !tree.IsConstant(n) {
		return false
	}
	v := (&Compiler{Vars: vars}).Value(n)(nil)
	_, isNumber := calc.Number(v)
	return v.Kind() == event.String && !isNumber
}
