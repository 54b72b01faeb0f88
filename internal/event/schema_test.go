package event_test

import (
	"errors"
	"testing"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
)

// schemas are known to a test, by their id.
type schemas map[string]event.Schema

func (s schemas) Find(id event.SchemaID) (event.Schema, error) {
	if one, ok := s[id.String()]; ok {
		return one, nil
	}
	return nil, &event.SchemaMissing{ID: id}
}

// letters reads each byte as a member; an index is one, too.
type letters struct{}

func (letters) Read(index, data []byte, members map[string]bool, q *event.Quota, repair func(kind, what string)) (event.Value, error) {
	var list []event.Value
	for _, b := range append(index, data...) {
		switch {
		case b == '!':
			return event.Value{}, outcome.Errorf(outcome.SchemaMismatch, "an exclamation mark")
		case b == '#':
			return event.NumberValue(1), nil
		case b == '?':
			repair(event.NotANumber, "a question mark")
		}
		if err := q.TakeValues(1); err != nil {
			return event.Value{}, err
		}
		list = append(list, event.Member(string(b), event.BoolValue(true)))
	}
	return event.ObjectValue(list), nil
}

const guid = "0199d8f2-1111-7222-8333-444455556666"

func TestSchemaReadsFramedValues(t *testing.T) {
	d := event.NewDecoder(nil, nil, nil)
	d.UseSchemas(schemas{"7": letters{}, "8": nil, guid: letters{}})
	header := event.Header{Name: "__value_schema_id", Value: []byte("\x01\x01\x99\xd8\xf2\x11\x11\x72\x22\x83\x33\x44\x44\x55\x55\x66\x66i")}
	other := event.Header{Name: "__key_schema_id", Value: header.Value}
	for name, c := range map[string]struct {
		value   string
		headers []event.Header
		members string // or the cause of the failure
		id      int
	}{
		"a binary format":                {"\x00\x00\x00\x00\x07ab", nil, "ab", 7},
		"compressed":                     {packed(t, "\x00\x00\x00\x00\x07ab"), nil, "ab", 7},
		"one that begins like JSON":      {"\x00\x00\x00\x00\x07{ab", nil, "{ab", 7},
		"one that begins like a string":  {"\x00\x00\x00\x00\x07\"ab", nil, "\"ab", 7},
		"a GUID in a header":             {"ab", []event.Header{header}, "iab", 0},
		"a value that is a prefix":       {"\x00\x00\x00\x00\x08ab", []event.Header{header}, "i\x00\x00\x00\x00\x08ab", 0},
		"a GUID of the key":              {"\x00\x00\x00\x00\x07ab", []event.Header{other}, "ab", 7},
		"JSON of a schema":               {"\x00\x00\x00\x00\x08{\"x\":1}", nil, "x", 8},
		"JSON without fetching":          {"\x00\x00\x00\x00\x09{\"x\":1}", nil, "x", 9},
		"JSON with a GUID":               {"{\"x\":1}", []event.Header{header}, "x", 0},
		"defective JSON of a schema":     {"\x00\x00\x00\x00\x08{\"x\":", nil, "truncated: not JSON at byte 5 (truncated)", 8},
		"no JSON although a schema says": {"\x00\x00\x00\x00\x08ab", nil, "not-json: not JSON at byte 0 (expected a value)", 8},
		"a document that does not fit":   {"\x00\x00\x00\x00\x07a!", nil, "schema-mismatch: schema 7: an exclamation mark", 7},
		"no object":                      {"\x00\x00\x00\x00\x07#", nil, "not-an-object: schema 7: an event is an object, found a number", 7},
	} {
		ev, err := d.Decode(event.Record{Topic: "trade-executions", Value: []byte(c.value), Headers: c.headers})
		got := ""
		for i := range ev.Doc.Len() {
			got += ev.Doc.At(i).Name()
		}
		if err != nil {
			got = err.Error()
		} else if ev.SchemaID != c.id {
			t.Errorf("%s: schema id %d", name, ev.SchemaID)
		}
		if got != c.members {
			t.Errorf("%s: %q, want %q", name, got, c.members)
		}
	}
}

func TestUnknownSchemaIsReportedAsMissing(t *testing.T) {
	d := event.NewDecoder(nil, nil, nil)
	d.UseSchemas(schemas{})
	for value, want := range map[string]string{"\x00\x00\x00\x00\x2aab": "42", "\x00\xff\xff\xff\xff{ab": "4294967295"} {
		_, err := d.Decode(event.Record{Value: []byte(value)})
		var missing *event.SchemaMissing
		if !errors.As(err, &missing) || missing.ID.String() != want {
			t.Errorf("%q: %v", value, err)
		}
	}
}

func TestSchemaReportsRepairs(t *testing.T) {
	d := event.NewDecoder(nil, nil, nil)
	d.UseSchemas(schemas{"7": letters{}})
	if ev, err := d.Decode(event.Record{Value: []byte("\x00\x00\x00\x00\x07a?")}); err != nil || ev.Repaired != "a question mark" {
		t.Errorf("repaired %q: %v", ev.Repaired, err)
	}
}

func TestHeaderOfSchemaNeedsRegistry(t *testing.T) {
	header := event.Header{Name: "__value_schema_id", Value: []byte("\x010123456789abcdef")}
	_, err := event.NewDecoder(nil, nil, nil).Decode(event.Record{Value: []byte("ab"), Headers: []event.Header{header}})
	if got := outcome.Classify(err); got.Cause != outcome.NeedsRegistry {
		t.Errorf("without a registry: %v", err)
	}
}
