package eventschema_test

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/eventschema"
)

// files reads from a map.
func files(m map[string]string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if text, ok := m[name]; ok {
			return []byte(text), nil
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
}

func load(t testing.TB, text string) *eventschema.Schema {
	t.Helper()
	s, faults := eventschema.Load("s.json", files(map[string]string{"s.json": text}))
	if len(faults) > 0 {
		t.Fatalf("%s: %v", text, faults)
	}
	return s
}

func document(t testing.TB, text string) event.Value {
	t.Helper()
	e, err := event.NewDecoder(nil, nil, nil).Decode(event.Record{Topic: "trade-executions", Value: []byte(text)})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return e.Doc
}

func TestCheckNamesPathAndKeyword(t *testing.T) {
	const order = `{
		"required": ["id"],
		"properties": {
			"id": {"type": "string", "minLength": 3},
			"side": {"enum": ["buy", "sell"]},
			"qty": {"type": ["string", "null"], "pattern": "^[0-9.]+$"},
			"count": {"type": "integer", "minimum": 0},
			"at": {"format": "date-time"},
			"legs": {"type": "array", "maxItems": 3, "items": {"type": "object", "required": ["px"], "properties": {"px": {"type": "number"}}}},
			"weights": {"additionalProperties": {"type": "number"}},
			"error": {"$ref": "#/$defs/error"}
		},
		"$defs": {"error": {"properties": {"code": {"type": "string"}}}},
		"if": {"properties": {"side": {"const": "sell"}}, "required": ["side"]},
		"then": {"required": ["reason"]}
	}`
	s := load(t, order)
	for _, c := range []struct{ doc, want string }{
		{`{"id":"abc"}`, ""},
		{`{}`, "id violates required: it is missing"},
		{`{"id":7}`, "id violates type: a number instead of a string"},
		{`{"id":"ab"}`, "id violates minLength: too short"},
		{`{"id":"abc","side":"secret"}`, "side violates enum"},
		{`{"id":"abc","qty":true}`, "qty violates type: a boolean instead of a string or null"},
		{`{"id":"abc","qty":"secret"}`, "qty violates pattern"},
		{`{"id":"abc","qty":"1","qty":null}`, ""},
		{`{"id":"abc","qty":null,"qty":1}`, "qty violates type: a number instead of a string or null"},
		{`{"id":"abc","qty":1,"qty":null}`, ""},
		{`{"id":"abc","count":1.5}`, "count violates type: not a whole number"},
		{`{"id":"abc","count":1.0}`, ""},
		{`{"id":"abc","count":-1}`, "count violates minimum: too small"},
		{`{"id":"abc","at":"secret"}`, "at violates format: not a date-time"},
		{`{"id":"abc","legs":[{"px":1},{"px":"secret"}]}`, "legs[].px violates type: a string instead of a number"},
		{`{"id":"abc","legs":[{}]}`, "legs[].px violates required: it is missing"},
		{`{"id":"abc","legs":[1,2,3,4]}`, "legs violates maxItems: too many elements"},
		{`{"id":"abc","weights":{"secret":"1"}}`, "weights.* violates type: a string instead of a number"},
		{`{"id":"abc","error":{"code":1}}`, "error.code violates type: a number instead of a string"},
		{`{"id":"abc","side":"sell"}`, "reason violates required: it is missing"},
		{`{"id":"abc","side":"sell","reason":null}`, ""},
	} {
		got := ""
		if v := s.Check(document(t, c.doc)); v != nil {
			got = v.String()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.doc, got, c.want)
		}
		if strings.Contains(got, "secret") {
			t.Errorf("%s: %q has a value of the document", c.doc, got)
		}
	}
}

func TestFaultsNameFileLineAndPlace(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "dir/s.json: not JSON: EOF"},
		{"{\n  \"type\": \"object\",\n}", "dir/s.json:3:1: not JSON: invalid character '}' looking for beginning of object key string"},
		{"{\n  \"properties\": {\n    \"qty\": {\"type\": \"strin\"}\n  }\n}", "dir/s.json:3:21: /properties/qty/type: value must be one of 'array', 'boolean', 'integer', 'null', 'number', 'object', 'string'"},
		{"{\n \"properties\": {\"a/b\": {\"minimum\": \"1\"}}}", "dir/s.json:2:36: /properties/a~1b/minimum: got string, want number"},
		{"{\"properties\": {\n  \"qty\": {\"pattern\": \"(?=a)\"}}}", "dir/s.json:2:22: /properties/qty/pattern: '(?=a)' is not valid regex: error parsing regexp: invalid or unsupported Perl syntax: `(?=`"},
		{"{\n \"$ref\": \"#/$defs/none\"}", "dir/s.json:2:10: /$ref: $ref leads to nothing: s.json#/$defs/none"},
		{"{\"properties\": {\n \"a\": {\"$ref\": \"https://example.com/a.json\"}}}", "dir/s.json:2:16: /properties/a/$ref: $ref to https://example.com/a.json is not followed: only files beside or below the schema are read"},
		{"{\n\"$ref\": \"../other.json\"}", "dir/s.json:2:9: /$ref: $ref to file:///schema/other.json is not followed: only files beside or below the schema are read"},
		{"{\n\"$ref\": \"/etc/passwd\"}", "dir/s.json:2:9: /$ref: $ref to file:///etc/passwd is not followed: only files beside or below the schema are read"},
		{"{\n\"$ref\": \"none.json\"}", "dir/s.json:2:9: /$ref: $ref: cannot be read: file does not exist"},
		{"{\n\"$ref\": \"broken.json\"}", "dir/broken.json:2:2: not JSON: invalid character 'o' looking for beginning of object key string"},
		{"{\n\"$ref\": \"wrong.json\"}", "dir/wrong.json:1:10: /type: value must be one of 'array', 'boolean', 'integer', 'null', 'number', 'object', 'string'"},
		{"{\"$schema\": \"http://json-schema.org/draft-07/schema#\",\n\"type\": \"object\"}", "dir/s.json:1:1: is of draft 07: write it for draft 2020-12, with \"$schema\": \"https://json-schema.org/draft/2020-12/schema\""},
		{"{\"$schema\": \"https://example.com/own\"}", "dir/s.json:1:1: $schema https://example.com/own is not followed"},
		{"{\"allOf\": [\n{\"$ref\": \"#\"}]}", "refers to itself for the same value: checking a value would not end"},
	} {
		s, faults := eventschema.Load("dir/s.json", files(map[string]string{
			"dir/s.json": c.text, "dir/broken.json": "{\n oh", "dir/wrong.json": `{"type": "text"}`, "other.json": "{}",
		}))
		if s != nil || len(faults) == 0 || !strings.Contains(faults.Error(), c.want) {
			t.Errorf("%s\ngot  %v\nwant %s", c.text, faults, c.want)
		}
	}
}

func TestReferencesLeadToFilesBeside(t *testing.T) {
	for _, head := range []string{"", `"$id": "https://example.com/schemas/s.json",`} {
		s, faults := eventschema.Load("dir/s.json", files(map[string]string{
			"dir/s.json":            `{` + head + `"properties": {"a": {"$ref": "common/money.json#/$defs/amount"}}}`,
			"dir/common/money.json": `{"$defs": {"amount": {"type": "string"}}}`,
		}))
		if len(faults) > 0 {
			t.Errorf("%s: %v", head, faults)
			continue
		}
		if s.Check(document(t, `{"a":"1"}`)) != nil || s.Check(document(t, `{"a":1}`)) == nil {
			t.Errorf("%s: the referenced schema is not applied", head)
		}
	}
}

func TestReadsNamesMembersOfChecks(t *testing.T) {
	for _, c := range []struct {
		text, want string
		all        bool
	}{
		{`{"required": ["id"], "properties": {"a": {"type": "string"}, "b": {"description": "free"}, "c": {}}}`, "a id", false},
		{`{"$ref": "#/$defs/x", "$defs": {"x": {"type": "object", "properties": {"a": {"type": "string"}}}}}`, "a", false},
		{`{"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}`, "a b", false},
		{`{"properties": {"a": true}, "additionalProperties": false}`, "", true},
		{`{"additionalProperties": true}`, "", false},
		{`{"patternProperties": {"_qty$": {"type": "string"}}}`, "", true},
		{`{"minProperties": 1}`, "", true},
		{`{"not": {"propertyNames": {"pattern": "x"}}}`, "", true},
		{`{"not": {"const": {"a": 1}}}`, "", true},
	} {
		names, all := load(t, c.text).Reads()
		if got := strings.Join(names, " "); got != c.want || all != c.all {
			t.Errorf("%s: got %q %v", c.text, got, all)
		}
	}
}

// costly is a schema whose checks take a time exponential in the depth of a document.
const costly = `{"$defs": {"x": {"type": "object", "properties": {"a": {"anyOf": [{"$ref": "#/$defs/x"}, {"$ref": "#/$defs/x"}, {"type": "string"}]}}}}, "not": {"$ref": "#/$defs/x"}}`

func TestCheckEndsAtLimitOfSteps(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 60) + "1" + strings.Repeat("}", 60)
	v := load(t, costly).Check(document(t, deep))
	if v == nil || v.Keyword != "steps" {
		t.Errorf("got %v", v)
	}
	wide := `{"a":[` + strings.TrimSuffix(strings.Repeat(`"x",`, 90_000), ",") + `]}`
	v = load(t, `{"properties": {"a": {"items": {"enum": [[1]]}}}}`).Check(document(t, wide))
	if v == nil || v.Keyword != "enum" {
		t.Errorf("got %v", v)
	}
}

func TestUnevaluatedPartsAreFound(t *testing.T) {
	for _, c := range []struct {
		text, doc string
		valid     bool
	}{
		{`{"contains": {"type": "string"}, "unevaluatedItems": false}`, `["a"]`, true},
		{`{"contains": {"type": "string"}, "unevaluatedItems": false}`, `["a", 1]`, false},
		{`{"allOf": [{"unevaluatedItems": true}], "unevaluatedItems": false}`, `[1]`, true},
		{`{"prefixItems": [true], "unevaluatedItems": {"type": "string"}}`, `[1, "a"]`, true},
		{`{"prefixItems": [true], "unevaluatedItems": {"type": "string"}}`, `[1, 2]`, false},
		{`{"anyOf": [{"properties": {"a": true}, "required": ["a"]}, {"properties": {"b": true}}], "unevaluatedProperties": false}`, `{"a": 1, "b": 2}`, true},
		{`{"anyOf": [{"properties": {"a": true, "c": {"type": "null"}}}, {"properties": {"b": true}}], "unevaluatedProperties": false}`, `{"a": 1, "c": 2}`, false},
		{`{"if": {"properties": {"a": {"const": 1}}}, "then": {"properties": {"b": true}}, "unevaluatedProperties": false}`, `{"a": 1, "b": 2}`, true},
		{`{"if": {"properties": {"a": {"const": 1}}}, "then": {"properties": {"b": true}}, "unevaluatedProperties": false}`, `{"a": 2, "b": 2}`, false},
		{`{"dependentSchemas": {"a": {"properties": {"a": true, "b": true}}}, "unevaluatedProperties": false}`, `{"a": 2, "b": 2}`, true},
		{`{"dependentSchemas": {"a": {"properties": {"a": true, "b": true}}}, "unevaluatedProperties": false}`, `{"b": 2}`, false},
	} {
		s := load(t, `{"properties": {"x": `+c.text+`}}`)
		if v := s.Check(document(t, `{"x": `+c.doc+`}`)); (v == nil) != c.valid {
			t.Errorf("%s on %s: got %v", c.text, c.doc, v)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(`{"required": ["a"], "properties": {"a": {"type": "string", "pattern": "^a"}}, "unevaluatedProperties": {"multipleOf": 0.01}}`, `{"a":"a","b":1e400}`)
	f.Add(costly, `{"a":{"a":{"a":1}}}`)
	f.Add(`{"additionalProperties": {"uniqueItems": true, "items": {"format": "regex"}}}`, `{"a":["(","[",-0,0]}`)
	f.Add(`{"propertyNames": {"format": "hostname"}, "minimum": 1e-400, "enum": [{"a": 1e999}]}`, `{"a":1e999}`)
	f.Fuzz(func(t *testing.T, text, doc string) {
		s, faults := eventschema.Load("s.json", files(map[string]string{"s.json": text}))
		if (s == nil) != (len(faults) > 0) {
			t.Fatalf("schema %v, faults %v", s != nil, faults)
		}
		if s == nil {
			return
		}
		e, err := event.NewDecoder(nil, nil, nil).Decode(event.Record{Topic: "trade-executions", Value: []byte(doc)})
		if err != nil {
			return
		}
		began := time.Now()
		v := s.Check(e.Doc)
		if took := time.Since(began); took > 20*time.Second {
			t.Fatalf("the check took %v", took)
		}
		s.Reads()
		s.Members()
		if v != nil && len(v.String()) > len(text)+200 {
			t.Fatalf("a long violation: %q", v)
		}
	})
}
