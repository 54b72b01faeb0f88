package config_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/topics"
)

// withSchema loads a configuration in dir with a schema for trade executions.
func withSchema(t *testing.T, dir, schema, more string) (*config.Loaded, string) {
	t.Helper()
	write(t, dir, "rules.yaml", configs.Rules)
	write(t, dir, "order.json", []byte(schema))
	file := write(t, dir, "notifier.yaml", []byte("channels: {desk: {console: {}}}\nevents:\n  trade-executions:\n    schema: { file: order.json"+more+" }\n"))
	l, faults, err := config.Load(config.Source{File: file, Getenv: nothing})
	if err != nil {
		t.Fatal(err)
	}
	return l, strings.ReplaceAll(faults.Error(), dir+"/", "")
}

func TestSchemaFaultsNameFileAndLine(t *testing.T) {
	for _, c := range []struct{ schema, more, want string }{
		{`{}`, "", ""},
		{"{\n\"type\": \"objekt\"}", "", "order.json:2:9: /type: value must be one of"},
		{`{`, "", "order.json: not JSON: unexpected EOF"},
		{`{}`, ", mode: refuse", `notifier.yaml:4:39: events.trade-executions.schema.mode: "refuse" is not warn or reject`},
		{`{}`, ", file: other.json", "duplicate"},
	} {
		if _, faults := withSchema(t, t.TempDir(), c.schema, c.more); !strings.Contains(faults, c.want) || (c.want == "") != (faults == "") {
			t.Errorf("%s%s: got %s", c.schema, c.more, faults)
		}
	}
	dir := t.TempDir()
	write(t, dir, "rules.yaml", configs.Rules)
	for text, want := range map[string]string{
		"schema: { file: none.json }":      "notifier.yaml:2:41: events.trade-executions.schema.file: none.json cannot be read: no such file or directory",
		"schema: { mode: reject }":         "events.trade-executions.schema.file: is missing: name a file with a JSON Schema",
		"schema: { file: a.json, mod: x }": "unknown key",
		"types: exact":                     `events.trade-executions.types: "exact" is not warn or strict`,
	} {
		file := write(t, dir, "notifier.yaml", []byte("channels: {desk: {console: {}}}\nevents: { trade-executions: { "+text+" } }\n"))
		_, faults, err := config.Load(config.Source{File: file, Getenv: nothing})
		if err != nil || !strings.Contains(strings.ReplaceAll(faults.Error(), dir+"/", ""), want) {
			t.Errorf("%s: got %v %v", text, faults, err)
		}
	}
}

func TestSamplesThatViolateSchemaAreWarnings(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "own.jsonl", []byte("{\"event_type\":\"order.rejected\"}\n{\"event_type\":7}\n"))
	write(t, dir, "order.json", []byte(`{"properties": {"event_type": {"type": "string"}}}`))
	write(t, dir, "rules.yaml", []byte("version: 1\nrules: [{name: a, topic: trade-executions, when: event.event_type == \"order.rejected\", title: t, to: [desk]}]\n"))
	for _, mode := range []string{"warn", "reject"} {
		file := write(t, dir, "notifier.yaml", []byte("channels: {desk: {console: {}}}\nsamples: {trade-executions: [own.jsonl]}\nevents: {trade-executions: {schema: {file: order.json, mode: "+mode+"}}}\n"))
		_, faults, err := config.Load(config.Source{File: file, Getenv: nothing})
		if err != nil || len(faults) != 1 || !strings.Contains(faults.Error(), "sample own-2: event_type violates type: a number instead of a string") {
			t.Errorf("%s: got %v %v", mode, faults, err)
		}
	}
}

func TestReloadReadsChangedSchemas(t *testing.T) {
	dir := t.TempDir()
	l, faults := withSchema(t, dir, `{"properties": {"a": {"$ref": "beside.json"}}}`, ", mode: reject")
	if !strings.Contains(faults, "cannot be read") || len(l.Checks()) > 0 {
		t.Fatalf("got %s", faults)
	}
	refuses := func(r config.Reloaded, doc string) bool {
		_, err := event.NewDecoder(nil, nil, nil).Checking(r.Checks).Decode(event.Record{Topic: "trade-executions", Value: []byte(doc)})
		return err != nil
	}
	before := l.LoadedFiles()
	for _, c := range []struct {
		beside string
		refuse bool
		fault  bool
	}{
		{`{"type": "string"}`, true, false},
		{`{"type": "nothing"}`, false, true},
		{`{"type": "number"}`, false, false},
	} {
		write(t, dir, "beside.json", []byte(c.beside))
		now, err := l.ReadFiles()
		if err != nil || now == before {
			t.Fatalf("%s: the change is not seen (%v)", c.beside, err)
		}
		r, found, err := l.Reload()
		if err != nil || (len(found.Errors()) > 0) != c.fault || refuses(r, `{"a":1}`) != c.refuse {
			t.Errorf("%s: faults %v, %v; refuses %v", c.beside, found, err, refuses(r, `{"a":1}`))
		}
		if now, err = l.ReadFiles(); err != nil || now.Schemas != r.Files.Schemas {
			t.Errorf("%s: the files seem to have changed again (%v)", c.beside, err)
		}
		before = now
	}
}

// shippedSchemas loads the shipped rules with the shipped schemas, of files or built in.
func shippedSchemas(t *testing.T, builtIn bool) *config.Loaded {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "rules.yaml", configs.Rules)
	if err := os.CopyFS(filepath.Join(dir, "schemas"), os.DirFS("../../configs/schemas")); err != nil {
		t.Fatal(err)
	}
	text := "channels: {desk: {console: {}}}\nevents:\n"
	for _, topic := range topics.All() {
		if builtIn {
			text += fmt.Sprintf("  %s: { schema: { file: built-in, mode: reject } }\n", topic)
			continue
		}
		text += fmt.Sprintf("  %s: { schema: { file: schemas/%[1]s.json, mode: reject }, types: strict }\n", topic)
	}
	l, faults, err := config.Load(config.Source{File: write(t, dir, "notifier.yaml", []byte(text)), Getenv: nothing})
	if err != nil || len(faults) > 0 {
		t.Fatal(faults, err)
	}
	return l
}

// TestShippedSchemasAcceptSamplesAndNaiveEvents: the schemas know every sample's members
// and event type, and accept what a naive producer sends.
func TestShippedSchemasAcceptSamplesAndNaiveEvents(t *testing.T) {
	for _, builtIn := range []bool{true, false} {
		l := shippedSchemas(t, builtIn)
		acceptsSamples(t, l)
		acceptsNaive(t, l.Decoder(nil))
	}
}

func acceptsSamples(t *testing.T, l *config.Loaded) {
	t.Helper()
	d := l.Decoder(nil)
	types := make(map[string]bool)
	for _, s := range configs.Samples() {
		e, err := d.Decode(event.Record{Topic: string(s.Topic), Value: s.Data})
		if err != nil {
			t.Errorf("%s: %v", s.Name, err)
			continue
		}
		types[e.Type] = true
		unknown(t, s.Name, e.Doc, l.Schemas.ByTopic[s.Topic].Examples()[0])
	}
	for _, topic := range topics.All() {
		for _, known := range l.Schemas.ByTopic[topic].Texts("event_type") {
			if !types[known] {
				t.Errorf("%s has no sample of %s", topic, known)
			}
		}
	}
}

func acceptsNaive(t *testing.T, d *event.Decoder) {
	t.Helper()
	naive := `{"event_id": 4711, "event_type": "order.rejected", "occurred_at": 1795444265.123, "session_id": 41, "account_id": "ACC-1041", "symbol": "AAPL", "side": "buy",
		"order_qty": 400, "limit_price": 189.5, "slippage_bps": NaN, "reason": null, "desk": {"own": ["fields"]}, "latency_ms": "12"}`
	if _, err := d.Decode(event.Record{Topic: "trade-executions", Value: []byte(naive)}); err != nil {
		t.Error(err)
	}
	for _, wrong := range []string{`"event_id": ""`, `"event_type": "order.rejectd"`, `"occurred_at": null`, `"side": "BUY"`, `"limit_price": "1.00 USD"`, `"limit_price": true`, `"reason": ["a"]`, `"mode": "LIVE"`} {
		var doc map[string]any
		if err := json.Unmarshal([]byte(`{"event_id": "e", "event_type": "order.rejected", "occurred_at": "2026-11-23T14:31:05Z"}`), &doc); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte("{"+wrong+"}"), &doc); err != nil {
			t.Fatal(err)
		}
		data, _ := json.Marshal(doc)
		if _, err := d.Decode(event.Record{Topic: "trade-executions", Value: data}); err == nil {
			t.Errorf("%s is accepted", wrong)
		}
	}
}

// unknown reports members of a document that an example of its schema lacks.
func unknown(t *testing.T, name string, doc, example event.Value) {
	t.Helper()
	for i := range doc.Len() {
		m := doc.At(i)
		known := example.Get(m.Name())
		if known.Kind() == event.Missing {
			t.Errorf("%s: the schema does not know %s", name, m.Name())
		}
		if m.Kind() == event.Object {
			unknown(t, name+": "+m.Name(), m, known)
		}
		if m.Kind() == event.Array && m.Len() > 0 && m.At(0).Kind() == event.Object {
			unknown(t, name+": "+m.Name(), m.At(0), known.At(0))
		}
	}
}
