package event_test

import (
	"io/fs"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/eventschema"
	"github.com/algotrade/notifier/internal/outcome"
)

const orderSchema = `{"required": ["event_id"], "properties": {"event_id": {"type": "string"}, "qty": {"type": ["string", "null"]}, "legs": {"items": {"type": "object"}}, "tags": {"type": "array"}}}`

func checked(t testing.TB, text string, reject bool) map[string]event.Check {
	t.Helper()
	s, faults := eventschema.Load("s.json", func(name string) ([]byte, error) {
		if name != "s.json" {
			return nil, fs.ErrNotExist
		}
		return []byte(text), nil
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return map[string]event.Check{"trade-executions": {Schema: s, Reject: reject}}
}

func TestViolationsAreCountedAndLoggedWithoutValues(t *testing.T) {
	reg := prometheus.NewRegistry()
	var log strings.Builder
	d := event.NewDecoder(nil, nil, reg).Checking(checked(t, orderSchema, false)).Keeping(map[string][]string{"trade-executions": {"mode"}})
	d.Log(slog.New(slog.NewTextHandler(&log, nil)))
	for doc, want := range map[string]string{
		`{"event_id":"e1","qty":"5"}`:    "",
		`{"event_id":"e2","qty":48151}`:  "qty violates type: a number instead of a string or null",
		`{"qty":"48151"}`:                "event_id violates required: it is missing",
		`{"event_id":"e3","legs":[162]}`: "legs[] violates type: a number instead of an object",
	} {
		e, err := d.Decode(record(doc))
		got := ""
		if e.Violation != nil {
			got = e.Violation.String()
		}
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v", doc, got, err)
		}
	}
	if n := violationsOf(t, reg, "trade-executions"); n != 3 {
		t.Errorf("%v violations are counted", n)
	}
	for _, want := range []string{`level=WARN msg="event violates the schema of its topic" topic=trade-executions path=qty keyword=type detail="a number instead of a string or null" source=trade-executions/`, "path=legs[] keyword=type"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "48151") || strings.Contains(log.String(), "162") {
		t.Errorf("the log has a value:\n%s", log.String())
	}
}

// violationsOf returns the counter of a topic.
func violationsOf(t *testing.T, reg *prometheus.Registry, topic string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "notifier_schema_violations_total" && m.GetLabel()[0].GetValue() == topic {
				return m.GetCounter().GetValue()
			}
		}
	}
	t.Fatal("there is no counter")
	return 0
}

func TestRejectingSchemaRefusesEvents(t *testing.T) {
	d := event.NewDecoder(nil, nil, nil).Checking(checked(t, orderSchema, true))
	if _, err := d.Decode(record(`{"event_id":"e1"}`)); err != nil {
		t.Error(err)
	}
	_, err := d.Decode(record(`{"event_id":48151}`))
	if f := outcome.Classify(err); err == nil || f.Cause != outcome.Schema || f.Detail != "event_id violates type: a number instead of a string" || f.Cause.Class().Reason != outcome.Undecodable {
		t.Errorf("got %v", err)
	}
	other := record(`{"event_id":48151}`)
	other.Topic = "portfolio-updates"
	if _, err := d.Decode(other); err != nil {
		t.Errorf("a topic without a schema: %v", err)
	}
}

// TestScannerLeavesViolationsToDecoder: what it accepts has none, in every document.
func TestScannerLeavesViolationsToDecoder(t *testing.T) {
	d := event.NewDecoder(nil, nil, nil).Checking(checked(t, orderSchema, false)).Keeping(map[string][]string{"trade-executions": {}})
	s := d.Scanner("trade-executions")
	scan := func(doc string) bool {
		return s.Scan([]byte(doc), arrived, time.Time{}, make([]event.Found, s.Size()))
	}
	for doc, want := range map[string]bool{
		`{"event_id":"e","qty":"5"}`: true, `{"event_id":"e","qty":null,"x":[1]}`: true, `{"event_id":"e","tags":[1,{}]}`: true, `{"event_id":"e"}`: true,
		`{"qty":"5"}`: false, `{"event_id":5}`: false, `{"event_id":"e","qty":5}`: false, `{"event_id":"e","qty":"5","qty":5}`: false,
		`{"event_id":"e","legs":[]}`: false, `{"event_id":"e","tags":{}}`: false,
	} {
		if got := scan(doc); got != want {
			t.Errorf("%s: scanned %v, want %v", doc, got, want)
		}
		if e, err := d.Decode(record(doc)); scan(doc) && (err != nil || e.Violation != nil) {
			t.Errorf("%s: scanned, but it violates %v", doc, e.Violation)
		}
	}
	d = event.NewDecoder(nil, nil, nil).Checking(checked(t, `{"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}`, false))
	if s = d.Scanner("trade-executions"); scan(`{"a":1}`) {
		t.Error("a schema of alternatives is decided by a scan")
	}
}
