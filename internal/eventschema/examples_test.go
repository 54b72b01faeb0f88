package eventschema_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/event"
)

func TestExamplesHaveNamedMembersOfEachType(t *testing.T) {
	s := load(t, `{
		"properties": {
			"any": {}, "text": {"type": "string"}, "number": {"type": ["number", "null"]}, "flag": {"type": "boolean"},
			"decimal": {"type": ["string", "number"], "pattern": "^[0-9.]+$"}, "at": {"type": "string", "format": "date-time"},
			"side": {"enum": ["buy", "sell", null]}, "never": {"type": "string", "pattern": "^z{9}$"},
			"legs": {"type": "array", "items": {"$ref": "#/$defs/leg"}}, "open": {"properties": {"a": {"type": "integer"}}}
		},
		"oneOf": [{"properties": {"one": {"const": "x"}}}, {"properties": {"two": {"type": "string"}}}],
		"if": {"properties": {"asked": true}}, "then": {"required": ["reason"]},
		"$defs": {"leg": {"type": "object", "properties": {"qty": {"type": "number"}, "leg": {"$ref": "#/$defs/leg"}}}}
	}`)
	seen := make(map[string][]string)
	for _, doc := range s.Examples() {
		for i := range doc.Len() {
			m := doc.At(i)
			text := m.Kind().String()
			if m.Kind() == event.String {
				text = m.Text()
			}
			if !slices.Contains(seen[m.Name()], text) {
				seen[m.Name()] = append(seen[m.Name()], text)
			}
		}
		if got := doc.Lookup("open", "a"); got.Kind() != event.Number {
			t.Errorf("open.a is %s", got.Kind())
		}
		if got := doc.Get("legs").At(0).Lookup("leg", "leg", "qty"); got.Kind() != event.Number {
			t.Errorf("a nested leg's qty is %s", got.Kind())
		}
	}
	for name, want := range map[string]string{
		"any": "null", "text": "1.5|2026-11-23T14:31:05Z|text|2026-11-23|1", "number": "a number", "flag": "a boolean", "decimal": "1.5|1|a number",
		"at": "2026-11-23T14:31:05Z", "side": "buy|sell", "never": "null", "legs": "an array", "open": "an object", "one": "x", "two": "1.5|2026-11-23T14:31:05Z|text|2026-11-23|1", "reason": "null",
	} {
		if got := strings.Join(seen[name], "|"); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if len(seen) != 13 {
		t.Errorf("members %v", seen)
	}
}

func TestTextsAreThoseThatSchemaLists(t *testing.T) {
	s := load(t, `{
		"properties": {"side": {"$ref": "#/$defs/side"}, "free": {"type": "string"}, "in": {"properties": {"a": {"enum": ["x", 1, "y"]}}}},
		"oneOf": [{"properties": {"type": {"const": "a"}}}, {"properties": {"type": {"enum": ["b", "c"]}}}],
		"anyOf": [{"properties": {"mixed": {"const": "a"}}}, {"properties": {"mixed": {"type": "string"}}}],
		"$defs": {"side": {"enum": ["buy", "sell"]}}
	}`)
	for path, want := range map[string]string{"side": "buy sell", "free": "", "in.a": "x y", "type": "a b c", "mixed": "", "none": "", "side.x": ""} {
		if got := strings.Join(s.Texts(strings.Split(path, ".")...), " "); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}
