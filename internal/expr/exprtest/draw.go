// Package exprtest draws expressions and events for property tests.
package exprtest

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"pgregory.net/rapid"

	"github.com/algotrade/notifier/internal/event"
)

// Document draws a document with lists that are long enough for a set.
func Document(t *rapid.T) event.Value {
	doc := Value(3).Draw(t, "document")
	if doc.Kind() != event.Object {
		return doc
	}
	members := []event.Value{event.Member("long", event.ArrayValue(rapid.SliceOfN(Element(), 0, 40).Draw(t, "long")))}
	for i := range doc.Len() {
		members = append(members, doc.At(i))
	}
	if rapid.Bool().Draw(t, "with a list") {
		members = append(members, event.Member("list", event.ArrayValue(rapid.SliceOfN(Element(), 0, 6).Draw(t, "list"))))
	}
	return event.ObjectValue(members)
}

// Element draws from a few values, so that lists have common elements.
func Element() *rapid.Generator[event.Value] {
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
		return Value(1).Draw(t, "any")
	})
}

// JSON returns a value as JSON.
func JSON(v event.Value) string {
	parts := make([]string, v.Len())
	for i := range parts {
		parts[i] = JSON(v.At(i))
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

// OverList is of a function of a list and a condition for its elements.
const OverList = 0

// Functions has how many arguments a drawn call of each function has.
var Functions = map[string]int{
	"abs": 1, "num": 1, "lower": 1, "upper": 1, "trim": 1, "len": 1, "min": 1, "max": 1, "join": 2, "has": 1, "bps": 2,
	"money": 1, "pct": 1, "qty": 1, "age": 1, "ago": 1, "clock": 2,
	"any": OverList, "all": OverList, "none": OverList, "count": OverList, "filter": OverList, "map": OverList, "sum": OverList,
}

// Expression draws an expression whose syntax is right; inPredicate: it may read an
// element.
func Expression(depth int, inPredicate bool) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		leaves := []string{
			"event", "event.a", "event.b.c", "event.list", `event["a"]`, "event.list[0]", "event.list[-2]", "event?.a", "meta.topic", "meta.key", "meta.time", "meta.headers",
			"meta.headers.h", "meta.id", "meta.type", "meta.schema_id", "meta.offset", "meta.partition", "ce", "ce.id", "vars.limit", "1", "-3", "2.5", "0", `"a"`, `"5"`, `""`, "true", "false", "nil", "[]", `[1, "a", nil]`,
		}
		if inPredicate {
			leaves = append(leaves, "#", ".a", "#.b.c", "#[0]")
		}
		if depth == 0 {
			return rapid.SampledFrom(leaves).Draw(t, "leaf")
		}
		sub := func(label string) string { return Expression(depth-1, inPredicate).Draw(t, label) }
		switch rapid.IntRange(0, 8).Draw(t, "form") {
		case 0, 1:
			return rapid.SampledFrom(leaves).Draw(t, "leaf")
		case 2, 3:
			op := rapid.SampledFrom([]string{"==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "and", "or", "in", "not in", "contains", "not contains", "startsWith", "endsWith", "??"}).Draw(t, "operator")
			return "(" + sub("left") + ") " + op + " (" + sub("right") + ")"
		case 4:
			return rapid.SampledFrom([]string{"not", "!", "-", "+"}).Draw(t, "unary") + " (" + sub("operand") + ")"
		case 5:
			return "(" + sub("if") + ") ? (" + sub("then") + ") : (" + sub("else") + ")"
		case 6:
			return "(" + sub("of") + `) matches "^[a-z]+(x|y)*$"`
		case 7:
			name := rapid.SampledFrom(slices.Sorted(maps.Keys(Functions))).Draw(t, "function")
			n := Functions[name]
			if n == OverList {
				predicate := Expression(depth-1, true).Draw(t, "predicate")
				return name + "(" + sub("list") + ", " + predicate + ")"
			}
			call := name + "(" + sub("argument")
			for range n - 1 {
				call += ", " + sub("argument")
			}
			return call + ")"
		}
		return "(" + sub("of") + ")[" + sub("index") + "]"
	})
}

// Value draws a value with lists and objects of at most this depth.
func Value(depth int) *rapid.Generator[event.Value] {
	return rapid.Custom(func(t *rapid.T) event.Value {
		kinds := 6
		if depth == 0 {
			kinds = 4
		}
		switch rapid.IntRange(0, kinds).Draw(t, "kind") {
		case 0:
			return event.NullValue()
		case 1:
			return event.BoolValue(rapid.Bool().Draw(t, "bool"))
		case 2:
			f := rapid.OneOf(rapid.Float64(), rapid.Just(math.NaN()), rapid.Just(math.Inf(-1)), rapid.Just(1e300)).Draw(t, "number")
			return event.NumberValue(f)
		case 3:
			return event.StringValue(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"5", "1e999", "-0", "2026-11-23T14:31:05Z", "NaN", "+", ".", "1795444265"})).Draw(t, "string"))
		case 4:
			return event.LiteralValue(rapid.SampledFrom([]string{"1e999", "0.10", "9007199254740993"}).Draw(t, "literal"), 9007199254740993)
		case 5:
			return event.ArrayValue(rapid.SliceOfN(Value(depth-1), 0, 4).Draw(t, "elements"))
		}
		var members []event.Value
		for _, name := range rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "list", "id"}), 0, 5).Draw(t, "names") {
			members = append(members, event.Member(name, Value(depth-1).Draw(t, "member")))
		}
		return event.ObjectValue(members)
	})
}
