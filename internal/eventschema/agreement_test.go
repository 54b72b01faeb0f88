package eventschema_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/eventschema"
)

// draw helps to draw schemas and documents that often concern each other.
type draw struct{ *rapid.T }

var (
	names   = []string{"a", "b", "c"}
	scalars = []any{nil, true, false, 0, 1, 2.5, -3, 4, "", "a", "ab", "2026-11-23T14:31:05Z", "10.50"}
	types   = []string{"null", "boolean", "number", "integer", "string", "array", "object"}
)

func one[T any](d draw, label string, list []T) T { return rapid.SampledFrom(list).Draw(d.T, label) }

func (d draw) chance(of int) bool { return rapid.IntRange(0, of-1).Draw(d.T, "chance") == 0 }

func (d draw) document(depth int) any {
	if depth == 0 || d.chance(3) {
		return one(d, "scalar", scalars)
	}
	if d.chance(3) {
		list := make([]any, rapid.IntRange(0, 3).Draw(d.T, "elements"))
		for i := range list {
			list[i] = d.document(depth - 1)
		}
		return list
	}
	object := make(map[string]any)
	for range rapid.IntRange(0, 3).Draw(d.T, "members") {
		object[one(d, "name", names)] = d.document(depth - 1)
	}
	return object
}

func (d draw) schema(depth int) any {
	if depth == 0 || d.chance(12) {
		return one(d, "simple", []any{true, false, map[string]any{}, map[string]any{"type": one(d, "type", types)}, map[string]any{"$ref": "#/$defs/x"}})
	}
	sub := func() any { return d.schema(depth - 1) }
	subs := func() []any {
		list := make([]any, rapid.IntRange(1, 3).Draw(d.T, "schemas"))
		for i := range list {
			list[i] = sub()
		}
		return list
	}
	some := func() []any {
		var list []any
		for _, n := range names {
			if d.chance(3) {
				list = append(list, n)
			}
		}
		return append([]any{}, list...)
	}
	named := func() map[string]any {
		m := make(map[string]any)
		for range rapid.IntRange(1, 2).Draw(d.T, "named") {
			m[one(d, "name", names)] = sub()
		}
		return m
	}
	small := func() int { return rapid.IntRange(0, 2).Draw(d.T, "limit") }
	keywords := map[string]func() any{
		"type": func() any {
			return []any{one(d, "type", types), one(d, "object", []string{"object", "array"})}[d.index()]
		},
		"enum":  func() any { return []any{one(d, "scalar", scalars), d.document(1), d.document(2)} },
		"const": func() any { return d.document(1) },
		"allOf": func() any { return subs() }, "anyOf": func() any { return subs() }, "oneOf": func() any { return subs() },
		"not": sub, "if": sub, "then": sub, "else": sub,
		"properties": func() any { return named() }, "additionalProperties": sub, "propertyNames": func() any { return map[string]any{"pattern": "[ab]"} },
		"patternProperties": func() any { return map[string]any{"[ab]": sub()} },
		"required":          func() any { return some() }, "minProperties": func() any { return small() }, "maxProperties": func() any { return small() },
		"dependentRequired": func() any { return map[string]any{one(d, "name", names): some()} },
		"dependentSchemas":  func() any { return named() }, "unevaluatedProperties": sub,
		"prefixItems": func() any { return subs() }, "items": sub, "contains": sub, "minContains": func() any { return small() }, "maxContains": func() any { return small() },
		"minItems": func() any { return small() }, "maxItems": func() any { return small() }, "uniqueItems": func() any { return true }, "unevaluatedItems": sub,
		"minLength": func() any { return small() }, "maxLength": func() any { return small() }, "pattern": func() any { return "^a|5" }, "format": func() any { return "date-time" },
		"minimum": func() any { return small() }, "maximum": func() any { return small() }, "exclusiveMinimum": func() any { return small() }, "exclusiveMaximum": func() any { return small() },
		"multipleOf": func() any { return []any{0.5, 2}[d.index()] },
	}
	var all []string
	for name := range keywords {
		all = append(all, name)
	}
	s := make(map[string]any)
	slices.Sort(all)
	for range rapid.IntRange(1, 4).Draw(d.T, "keywords") {
		name := one(d, "keyword", all)
		s[name] = keywords[name]()
		if name == "if" {
			s["then"], s["else"] = sub(), sub()
		}
	}
	if d.chance(3) {
		s["unevaluatedProperties"], s["unevaluatedItems"] = d.schema(0), d.schema(0)
	}
	return s
}

func (d draw) index() int { return rapid.IntRange(0, 1).Draw(d.T, "index") }

// TestChecksAgreeWithLibrary draws schemas and documents: both accept the same. What
// Members requires, of documents in which it is known, is what Check does, and only the
// members of Reads matter.
func TestChecksAgreeWithLibrary(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := draw{rt}
		root, ok := d.schema(3).(map[string]any)
		if !ok {
			root = map[string]any{}
		}
		root["$defs"] = map[string]any{"x": map[string]any{"type": []any{"object", "string", "number"}, "properties": map[string]any{"a": map[string]any{"$ref": "#/$defs/x"}, "b": d.schema(0)}}}
		text, err := json.Marshal(root)
		if err != nil {
			rt.Fatal(err)
		}
		object := make(map[string]any)
		for range rapid.IntRange(0, 3).Draw(rt, "members") {
			object[one(d, "name", names)] = d.document(2)
		}
		data, err := json.Marshal(object)
		if err != nil {
			rt.Fatal(err)
		}
		library := jsonschema.NewCompiler()
		library.AssertFormat()
		parsed, _ := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err := library.AddResource("s.json", parsed); err != nil {
			rt.Fatal(err)
		}
		theirs, err := library.Compile("s.json")
		ours, faults := eventschema.Load("s.json", files(map[string]string{"s.json": string(text)}))
		if ours == nil {
			if err == nil {
				rt.Logf("%s: %v", text, faults)
			}
			return // a cycle of references
		}
		value, _ := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		doc := document(t, string(data))
		want := theirs.Validate(value)
		got := ours.Check(doc)
		if (want == nil) != (got == nil) {
			rt.Fatalf("schema %s\ndocument %s\nwe say %v, the library says %v", text, data, got, want)
		}
		agree(rt, ours, doc, got == nil)
	})
}

func agree(t *rapid.T, s *eventschema.Schema, doc event.Value, valid bool) {
	if names, all := s.Reads(); !all {
		var kept []event.Value
		for _, name := range names {
			if m := doc.Get(name); m.Kind() != event.Missing {
				kept = append(kept, m)
			}
		}
		if (s.Check(event.ObjectValue(kept)) == nil) != valid {
			t.Fatalf("without the members that are not in %v the result differs", names)
		}
	}
	checks, ok := s.Members()
	if !ok {
		return
	}
	refused := false
	for _, c := range checks {
		v := doc.Get(c.Name)
		if v.Kind() >= event.Array { // as a scanner finds it
			v = map[event.Kind]event.Value{event.Array: event.ArrayValue(nil), event.Object: event.ObjectValue(nil)}[v.Kind()]
		}
		refused = refused || !c.Accepts(v)
	}
	if !refused && !valid {
		t.Fatal("the checks of members accept what Check refuses")
	}
}
