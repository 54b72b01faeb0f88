package rule

import (
	"math"
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

// scoped is a function that needs the scope, and counts what it does.
func scoped(least, most int, f func(s *scope, args []event.Value) event.Value) function {
	return function{least, most, func(*compiler) func(*scope, []event.Value) event.Value { return f }}
}

// pure is a function that reads its arguments once and no list's elements.
func pure(least, most int, f func(args []event.Value) event.Value) function {
	return scoped(least, most, func(s *scope, args []event.Value) event.Value {
		for _, a := range args {
			s.reads(a)
		}
		return f(args)
	})
}

func onNumber(f func(float64) float64) function {
	return pure(1, 1, func(args []event.Value) event.Value { return event.NumberValue(f(toNumber(args[0]))) })
}

func onText(f func(string) string) function {
	return scoped(1, 1, func(s *scope, args []event.Value) event.Value {
		if args[0].Kind() != event.String {
			return event.Value{}
		}
		s.made(len(args[0].Text()))
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
	"min":   scoped(1, -1, func(s *scope, args []event.Value) event.Value { return extreme(s, args, math.Min) }),
	"max":   scoped(1, -1, func(s *scope, args []event.Value) event.Value { return extreme(s, args, math.Max) }),
	"join":  scoped(1, 2, join),
	"has":   scoped(1, 1, func(_ *scope, args []event.Value) event.Value { return event.BoolValue(!args[0].IsNil()) }),
	"bps": pure(2, 2, func(args []event.Value) event.Value {
		return event.NumberValue((toNumber(args[0])/toNumber(args[1]) - 1) * 10_000)
	}),
	"money": printed(money),
	"pct":   printed(percent),
	"qty":   printed(quantity),
	"age":   scoped(1, 1, func(s *scope, args []event.Value) event.Value { return event.NumberValue(age(s, args[0])) }),
	"ago":   scoped(1, 1, func(s *scope, args []event.Value) event.Value { return ago(age(s, args[0])) }),
	"clock": {1, 2, func(c *compiler) func(*scope, []event.Value) event.Value {
		return func(s *scope, args []event.Value) event.Value { return clock(s, args, c.zone) }
	}},
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
	if name == "join" || (name == "min" || name == "max") && len(args) == 1 { // those that walk a list
		c.warnChosen(arguments[0])
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
func extreme(s *scope, args []event.Value, pick func(a, b float64) float64) event.Value {
	list := event.ArrayValue(args)
	if len(args) == 1 && args[0].Kind() == event.Array {
		list = args[0]
	}
	if list.Len() == 0 {
		return event.NumberValue(math.NaN())
	}
	s.spend(list.Len())
	best := s.number(list.At(0))
	for i := 1; i < list.Len(); i++ {
		best = pick(best, s.number(list.At(i)))
	}
	return event.NumberValue(best)
}

func join(s *scope, args []event.Value) event.Value {
	separator := ", "
	if len(args) == 2 {
		separator = args[1].Text()
	}
	list := onlyList(args[0])
	texts := make([]string, 0, min(list.Len(), 1024))
	for i := range list.Len() {
		s.spend(1 + len(separator)>>2) // before it is made: each element takes it again
		texts = append(texts, whole(&s.meter, list.At(i)))
	}
	return event.StringValue(strings.Join(texts, separator))
}

// age is how many seconds lie between a time and now, NaN where it is none.
func age(s *scope, v event.Value) float64 {
	t, ok := parseTime(s, v)
	if !ok {
		return math.NaN()
	}
	return s.now.Sub(t).Seconds()
}

func parseTime(s *scope, v event.Value) (time.Time, bool) {
	if v.Kind() == event.String {
		s.spend(parsedTime)
		s.reads(v)
	}
	return event.ParseTime(v)
}

func clock(s *scope, args []event.Value, zone *time.Location) event.Value {
	t, ok := parseTime(s, args[0])
	if !ok {
		return event.Value{}
	}
	layout := "15:04:05 MST"
	if len(args) == 2 && args[1].Text() != "" {
		layout = args[1].Text()
	}
	s.made(2 * len(layout))
	return event.StringValue(t.In(zone).Format(layout))
}
