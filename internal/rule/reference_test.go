package rule

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
	"pgregory.net/rapid"

	"github.com/algotrade/notifier/internal/event"
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
		if strings.HasPrefix(n.String(), "meta.") && isInvariant(n) { // a leaf: it has no loops
			c := &compiler{}
			return c.value(n)(&scope{ev: r.ev})
		}
		return r.index(r.eval(n.Node), r.eval(n.Property))
	case *ast.UnaryNode:
		v := r.eval(n.Node)
		switch n.Operator {
		case "not", "!":
			return event.BoolValue(!v.Bool())
		case "-":
			return event.NumberValue(-numberOrNaN(v))
		}
		return event.NumberValue(numberOrNaN(v))
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
	x, y := numberOrNaN(a), numberOrNaN(b)
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
	return arithmetic(n.Operator, x, y)
}

func (r *interpreter) plus(n *ast.BinaryNode, a, b event.Value) event.Value {
	x, y := numberOrNaN(a), numberOrNaN(b)
	joined := (&compiler{vars: r.vars}).isText(n)
	texts := a.Kind() == event.String && b.Kind() == event.String
	switch {
	case !joined && (!texts || !math.IsNaN(x+y)):
		return computed(x + y)
	case r.text(a) == missing && a.Kind() != event.String, r.text(b) == missing && b.Kind() != event.String:
		return event.Value{}
	}
	return event.StringValue(r.text(a) + r.text(b))
}

var whole = regexp.MustCompile(`^([+-]?|\()(\d+)\)?( USDT)?$`)

// wholeNumber returns the value of a whole number; nil: it is none.
func wholeNumber(v event.Value) *big.Int {
	m := whole.FindStringSubmatch(strings.TrimSpace(v.Text()))
	if m == nil {
		return nil
	}
	n, _ := new(big.Int).SetString(m[2], 10)
	if m[1] == "-" || m[1] == "(" {
		n.Neg(n)
	}
	return n
}

// compare compares numbers.
func (r *interpreter) compare(a, b event.Value) (sign int, ok bool) {
	x, y := numberOrNaN(a), numberOrNaN(b)
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
		return a.IsNil() && b.IsNil()
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
		return over(list, of)
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
		best := math.NaN()
		for i, v := range args {
			switch f := numberOrNaN(v); {
			case i == 0:
				best = f
			case name == "min":
				best = math.Min(best, f)
			default:
				best = math.Max(best, f)
			}
		}
		return event.NumberValue(best)
	}
	return functions[name].call(&compiler{zone: time.UTC})(&scope{now: fixedNow}, args)
}

// text prints a whole value.
func (r *interpreter) text(v event.Value) string {
	switch v.Kind() {
	case event.Missing, event.Null:
		return missing
	case event.Bool:
		return strconv.FormatBool(v.Bool())
	case event.Number:
		if math.IsNaN(v.Float()) {
			return missing
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

var fixedNow = time.Unix(1795444265, 0)

// same reports whether two values are equal in a rule and when printed.
func same(a, b event.Value) bool {
	if a.Kind() != b.Kind() || a.Bool() != b.Bool() || a.Text() != b.Text() || a.Len() != b.Len() || a.Name() != b.Name() {
		return false
	}
	if a.Float() != b.Float() && !(math.IsNaN(a.Float()) && math.IsNaN(b.Float())) {
		return false
	}
	for i := range a.Len() {
		if !same(a.At(i), b.At(i)) {
			return false
		}
	}
	return true
}

// TestCompiledExpressionsAgreeWithReference: the step count is deterministic;
// a limit of exactly that count changes nothing, one less ends the evaluation.
func TestCompiledExpressionsAgreeWithReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source := drawExpression(4, false).Draw(t, "expression")
		if rapid.Bool().Draw(t, "over long lists") {
			source = rapid.SampledFrom([]string{"map", "any", "filter", "count"}).Draw(t, "over") + "(event.list, " + drawExpression(3, true).Draw(t, "predicate") +
				rapid.SampledFrom([]string{"", " in event.long", " in map(event.long, #)", " in (.a ?? event.long)", " in " + longList, " == event.long"}).Draw(t, "in") + ")"
		}
		vars := event.ObjectValue([]event.Value{event.Member("limit", event.NumberValue(4))})
		c := &compiler{zone: time.UTC, vars: vars}
		e := c.compile(source)
		for _, p := range c.problems {
			if !p.warning {
				t.Skip("not supported")
			}
		}
		tree, err := parser.Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		ev := &event.Event{Doc: drawDocument(t), CE: drawValue(1).Draw(t, "ce")}
		want := (&interpreter{ev: ev, vars: vars}).eval(tree.Node)
		free := &scope{ev: ev, now: fixedNow}
		if got := e.eval(free); !same(got, want) {
			t.Fatalf("%s is %s, want %s", source, display(got), display(want))
		}
		if text := (&interpreter{}).text(want); displayAll(&meter{}, want) != text || !strings.HasPrefix(text, display(want)) {
			t.Fatalf("%s prints %q, want %q", source, display(want), text)
		}
		if free.spent == 0 {
			return
		}
		limited := &scope{ev: ev, now: fixedNow, meter: meter{limit: free.spent}}
		if got := e.eval(limited); !same(got, want) || limited.spent != free.spent {
			t.Fatalf("%s takes %d steps, then %d", source, free.spent, limited.spent)
		}
		if free.spent > 1 && evaluates(e, &scope{ev: ev, now: fixedNow, meter: meter{limit: free.spent - 1}}) {
			t.Fatalf("%s takes %d steps of %d", source, free.spent, free.spent-1)
		}
	})
}

func evaluates(e expression, s *scope) (ok bool) {
	defer func() {
		if v := recover(); v != nil && v != any(overBudget{}) {
			panic(v)
		}
	}()
	e.eval(s)
	return true
}

const longList = `[1, 2, 3, 4, "5", "a", "b", "", nil, true, 9007199254740993, "9007199254740993", "1e999", 2.5, -0.0, 11, 12, 13, [1], []]`

// drawDocument draws a document with lists that are long enough for a set.
func drawDocument(t *rapid.T) event.Value {
	doc := drawValue(3).Draw(t, "document")
	if doc.Kind() != event.Object {
		return doc
	}
	members := []event.Value{event.Member("long", event.ArrayValue(rapid.SliceOfN(drawElement(), 0, 40).Draw(t, "long")))}
	for i := range doc.Len() {
		members = append(members, doc.At(i))
	}
	if rapid.Bool().Draw(t, "with a list") {
		members = append(members, event.Member("list", event.ArrayValue(rapid.SliceOfN(drawElement(), 0, 6).Draw(t, "list"))))
	}
	return event.ObjectValue(members)
}

// drawElement draws from a few values, so that lists have common elements.
func drawElement() *rapid.Generator[event.Value] {
	numbers := []string{"0", "-0", "0.0", "1", "5", "5.0", "2.5", "1e999", "9007199254740992", "9007199254740993", "9007199254740993.0", "9007199254740994", "-9007199254740993", "9223372036854775807", "9223372036854775808"}
	return rapid.Custom(func(t *rapid.T) event.Value {
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			return rapid.SampledFrom([]event.Value{{}, event.NullValue(), event.BoolValue(true), event.BoolValue(false), event.NumberValue(math.NaN())}).Draw(t, "value")
		case 1, 2:
			literal := rapid.SampledFrom(numbers).Draw(t, "number")
			f, _ := strconv.ParseFloat(literal, 64)
			return event.LiteralValue(literal, f)
		case 3:
			return event.StringValue(rapid.SampledFrom(append(slices.Clone(numbers), "", "a", "b", "nan", " 5 ", "5 USDT", "9007199254740993 USDT", "(9007199254740993)", "009007199254740993")).Draw(t, "text"))
		case 4:
			return event.StringValue(rapid.StringN(0, 3, -1).Draw(t, "text"))
		}
		return drawValue(1).Draw(t, "any")
	})
}

// TestSetAgreesWithLinearSearch covers every kind of value.
func TestSetAgreesWithLinearSearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := event.ArrayValue(rapid.SliceOfN(drawElement(), 0, 30).Draw(t, "list"))
		v := drawElement().Draw(t, "value")
		if got, want := newSet(list).contains(&meter{}, v), (&interpreter{}).in(v, list); got != want {
			t.Fatalf("%s in %s is %v, want %v", display(v), display(list), got, want)
		}
	})
}

// TestPrefilterAgreesWithMatch on any condition and document.
func TestPrefilterAgreesWithMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		when := rapid.SampledFrom([]string{"", `event.a == "a" and `, `event.a in ["5", ""] or `, "event.b.c > 1 and ", "not "}).Draw(t, "begin") + "(" + drawExpression(3, false).Draw(t, "expression") + ")"
		set, faults := Compile("r.yaml", []byte("version: 1\nvars: {limit: 4}\nrules:\n  - {name: r, to: [desk], title: t, when: "+strconv.Quote(when)+"}\n"), Environment{})
		if len(faults.Errors()) > 0 {
			t.Skip("not supported")
		}
		d := event.NewDecoder(nil, set.Reads(), nil)
		prefilter := set.Prefilter(d)
		for range 10 {
			rec := event.Record{Topic: "trade-executions", Value: []byte(jsonText(drawDocument(t))), Arrived: fixedNow}
			if !prefilter.Quiet(rec, fixedNow) {
				continue
			}
			e, err := d.Decode(rec)
			if err != nil || e.Repaired != "" {
				t.Fatalf("%s is called quiet: error %v, repair %q", rec.Value, err, e.Repaired)
			}
			if alerts, err := set.Match(&e, fixedNow); err != nil || len(alerts) > 0 {
				t.Fatalf("%s is called quiet for %s: error %v, %d alerts", rec.Value, when, err, len(alerts))
			}
		}
	})
}

func jsonText(v event.Value) string {
	parts := make([]string, v.Len())
	for i := range parts {
		parts[i] = jsonText(v.At(i))
		if v.Kind() == event.Object {
			parts[i] = strconv.Quote(v.At(i).Name()) + ":" + parts[i]
		}
	}
	switch v.Kind() {
	case event.Bool:
		return strconv.FormatBool(v.Bool())
	case event.Number:
		return v.Text()
	case event.String:
		b, _ := json.Marshal(v.Text())
		return string(b)
	case event.Array:
		return "[" + strings.Join(parts, ",") + "]"
	case event.Object:
		return "{" + strings.Join(parts, ",") + "}"
	}
	return "null"
}
