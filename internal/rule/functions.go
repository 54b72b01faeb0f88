package rule

import (
	"math"
	"slices"
	"sort"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/suggest"
)

// function is one of the language's functions on values.
type function struct {
	min, max int // arguments; max < 0: any number
	call     func(c *compiler) func(s *scope, args []event.Value) event.Value
}

// pure is a function that needs neither the scope nor the compiler.
func pure(least, most int, f func(args []event.Value) event.Value) function {
	return function{least, most, func(*compiler) func(*scope, []event.Value) event.Value {
		return func(_ *scope, args []event.Value) event.Value { return f(args) }
	}}
}

func onNumber(f func(float64) float64) function {
	return pure(1, 1, func(args []event.Value) event.Value { return event.NumberValue(f(toNumber(args[0]))) })
}

func onText(f func(string) string) function {
	return pure(1, 1, func(args []event.Value) event.Value {
		if args[0].Kind() != event.String {
			return event.Value{}
		}
		return event.StringValue(f(args[0].Text()))
	})
}

// printed is a function that yields a text for people, or missing.
func printed(f func(event.Value) (string, bool)) function {
	return pure(1, 1, func(args []event.Value) event.Value {
		if s, ok := f(args[0]); ok {
			return event.StringValue(s)
		}
		return event.Value{}
	})
}

// functions are those of the language, apart from the ones over lists.
var functions = map[string]function{
	"abs":   onNumber(math.Abs),
	"num":   onNumber(func(f float64) float64 { return f }),
	"lower": onText(strings.ToLower),
	"upper": onText(strings.ToUpper),
	"trim":  onText(strings.TrimSpace),
	"len":   pure(1, 1, length),
	"min":   pure(1, -1, func(args []event.Value) event.Value { return extreme(args, math.Min) }),
	"max":   pure(1, -1, func(args []event.Value) event.Value { return extreme(args, math.Max) }),
	"join":  pure(1, 2, join),
	"has":   pure(1, 1, func(args []event.Value) event.Value { return event.BoolValue(!args[0].IsNil()) }),
	"bps": pure(2, 2, func(args []event.Value) event.Value {
		return event.NumberValue((toNumber(args[0])/toNumber(args[1]) - 1) * 10_000)
	}),
	"money": printed(money),
	"pct":   printed(percent),
	"qty":   printed(quantity),
	"age": {1, 1, func(*compiler) func(*scope, []event.Value) event.Value {
		return func(s *scope, args []event.Value) event.Value { return event.NumberValue(age(s, args[0])) }
	}},
	"ago": {1, 1, func(*compiler) func(*scope, []event.Value) event.Value {
		return func(s *scope, args []event.Value) event.Value { return ago(age(s, args[0])) }
	}},
	"clock": {1, 2, func(c *compiler) func(*scope, []event.Value) event.Value {
		return func(_ *scope, args []event.Value) event.Value { return clock(args, c.zone) }
	}},
}

// overLists are the functions with a predicate; sum and count may go without.
var overLists = map[string]func(list event.Value, of func(event.Value) event.Value) event.Value{
	"any": func(list event.Value, of func(event.Value) event.Value) event.Value {
		for i := range list.Len() {
			if of(list.At(i)).Bool() {
				return event.BoolValue(true)
			}
		}
		return event.BoolValue(false)
	},
	"all": func(list event.Value, of func(event.Value) event.Value) event.Value {
		for i := range list.Len() {
			if !of(list.At(i)).Bool() {
				return event.BoolValue(false)
			}
		}
		return event.BoolValue(true)
	},
	"none": func(list event.Value, of func(event.Value) event.Value) event.Value {
		for i := range list.Len() {
			if of(list.At(i)).Bool() {
				return event.BoolValue(false)
			}
		}
		return event.BoolValue(true)
	},
	"count": func(list event.Value, of func(event.Value) event.Value) event.Value {
		n := 0
		for i := range list.Len() {
			if of(list.At(i)).Bool() {
				n++
			}
		}
		return event.NumberValue(float64(n))
	},
	"filter": func(list event.Value, of func(event.Value) event.Value) event.Value {
		var out []event.Value
		for i := range list.Len() {
			if e := list.At(i); of(e).Bool() {
				out = append(out, e)
			}
		}
		return event.ArrayValue(out)
	},
	"map": func(list event.Value, of func(event.Value) event.Value) event.Value {
		out := make([]event.Value, list.Len())
		for i := range out {
			out[i] = of(list.At(i))
		}
		return event.ArrayValue(out)
	},
	"sum": func(list event.Value, of func(event.Value) event.Value) event.Value {
		total := 0.0
		for i := range list.Len() {
			total += toNumber(of(list.At(i)))
		}
		return event.NumberValue(total)
	},
}

// functionNames returns every function of the language, in order.
func functionNames() []string {
	var names []string
	for name := range functions {
		names = append(names, name)
	}
	for name := range overLists {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func (c *compiler) call(n ast.Node, name string, arguments []ast.Node) value {
	if over, ok := overLists[name]; ok {
		return c.overList(n, name, over, arguments)
	}
	f, ok := functions[name]
	if !ok {
		if s := suggest.Closest(name, functionNames()); s != "" {
			return c.fault(n, "%s() is not part of the language: did you mean %s()?", name, s)
		}
		return c.fault(n, "%s() is not part of the language, which has %s", name, strings.Join(functionNames(), ", "))
	}
	if len(arguments) < f.min || f.max >= 0 && len(arguments) > f.max {
		return c.fault(n, "%s() takes %s, found %d", name, howMany(f.min, f.max), len(arguments))
	}
	args := make([]value, len(arguments))
	for i, a := range arguments {
		args[i] = c.value(a)
	}
	call := f.call(c)
	if len(args) == 1 {
		of := args[0]
		return func(s *scope) event.Value {
			one := [1]event.Value{of(s)}
			return call(s, one[:])
		}
	}
	return func(s *scope) event.Value {
		values := make([]event.Value, len(args))
		for i, a := range args {
			values[i] = a(s)
		}
		return call(s, values)
	}
}

func howMany(least, most int) string {
	words := []string{"no argument", "one argument", "two arguments", "three arguments"}
	switch {
	case most < 0:
		return "at least " + words[least]
	case least == most:
		return words[least]
	}
	return words[least] + " or " + words[most]
}

func (c *compiler) overList(n ast.Node, name string, over func(event.Value, func(event.Value) event.Value) event.Value, arguments []ast.Node) value {
	if len(arguments) == 0 || len(arguments) > 2 {
		return c.fault(n, "%s() takes a list and a condition for its elements", name)
	}
	known := len(c.paths)
	list := c.value(arguments[0])
	if len(arguments) == 1 {
		return func(s *scope) event.Value {
			return over(onlyList(list(s)), func(v event.Value) event.Value { return v })
		}
	}
	predicate, ok := arguments[1].(*ast.PredicateNode)
	if !ok {
		return c.fault(arguments[1], "%s() takes a condition for the list's elements", name)
	}
	if len(c.paths) == known+1 {
		c.elementPaths(predicate.Node, c.paths[known].path)
	}
	c.depth++
	of := c.value(predicate.Node)
	c.depth--
	return func(s *scope) event.Value {
		v := onlyList(list(s))
		if v.Len() == 0 {
			return over(v, nil)
		}
		s.elements = append(s.elements, event.Value{})
		top := len(s.elements) - 1
		out := over(v, func(e event.Value) event.Value {
			s.elements[top] = e
			return of(s)
		})
		s.elements = s.elements[:top]
		return out
	}
}

// elementPaths notes the paths that a predicate reads from the elements of the
// list at path, so that a misspelt one is found.
func (c *compiler) elementPaths(n ast.Node, path []string) {
	ast.Walk(&n, elementVisitor(func(names []string, at int) {
		c.paths = append(c.paths, access{path: slices.Concat(path, []string{"[]"}, names), at: at})
	}))
}

type elementVisitor func(names []string, at int)

func (v elementVisitor) Visit(n *ast.Node) {
	m, ok := (*n).(*ast.MemberNode)
	if !ok {
		return
	}
	base, isPointer := m.Node.(*ast.PointerNode)
	name, isName := m.Property.(*ast.StringNode)
	if isPointer && isName && base.Name == "" {
		v([]string{name.Value}, m.Location().From)
	}
}

// onlyList makes everything that is not a list an empty one.
func onlyList(v event.Value) event.Value {
	if v.Kind() != event.Array {
		return event.ArrayValue(nil)
	}
	return v
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

// extreme is min and max, over the arguments or over one list's elements.
func extreme(args []event.Value, pick func(a, b float64) float64) event.Value {
	if len(args) == 1 && args[0].Kind() == event.Array {
		list := args[0]
		args = make([]event.Value, list.Len())
		for i := range args {
			args[i] = list.At(i)
		}
	}
	if len(args) == 0 {
		return event.NumberValue(math.NaN())
	}
	best := toNumber(args[0])
	for _, v := range args[1:] {
		best = pick(best, toNumber(v))
	}
	return event.NumberValue(best)
}

func join(args []event.Value) event.Value {
	separator := ", "
	if len(args) == 2 {
		separator = args[1].Text()
	}
	list := onlyList(args[0])
	texts := make([]string, list.Len())
	for i := range texts {
		texts[i] = whole(list.At(i))
	}
	return event.StringValue(strings.Join(texts, separator))
}

// age is how many seconds lie between a time and now, NaN where it is none.
func age(s *scope, v event.Value) float64 {
	t, ok := event.ParseTime(v)
	if !ok {
		return math.NaN()
	}
	return s.now.Sub(t).Seconds()
}

func clock(args []event.Value, zone *time.Location) event.Value {
	t, ok := event.ParseTime(args[0])
	if !ok {
		return event.Value{}
	}
	layout := "15:04:05 MST"
	if len(args) == 2 && args[1].Text() != "" {
		layout = args[1].Text()
	}
	return event.StringValue(t.In(zone).Format(layout))
}
