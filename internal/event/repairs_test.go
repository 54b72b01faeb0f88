package event_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/topics"
)

func TestProducerMistakesAreRepairedAndCounted(t *testing.T) {
	for value, c := range map[string]struct {
		repaired string
		kinds    []string
	}{
		`{"x":NaN,"y":[Infinity,-Infinity],"price":0.10}`:                            {"NaN at byte 5", []string{"not-a-number"}},
		`"{\"x\":null,\"y\":[null,null],\"price\":0.10}"`:                            {"the document is encoded twice: it is a JSON string", []string{"double-encoded"}},
		"\xef\xbb\xbf" + `{"x":NaN,"y":[1,null],"price":0.10}`:                       {"begins with a byte order mark: write UTF-8 without it", []string{"byte-order-mark", "not-a-number"}},
		"\x00\x00\x00\x00\x01\xef\xbb\xbf" + `{"y":[1,null],"price":0.10}`:           {"begins with a byte order mark: write UTF-8 without it", []string{"byte-order-mark"}},
		`{"x":1.7976931348623157e+308,"y":[1,-1.7976931348623157E308],"price":0.10}`: {"the largest float, which means unset, at byte 5: send null", []string{"unset-number"}},
		`{"x":1.79769e308,"y":[1,null],"price":0.10}`:                                {"the largest float, which means unset, at byte 5: send null", []string{"unset-number"}},
	} {
		reg := prometheus.NewPedanticRegistry()
		e, err := event.NewDecoder(nil, nil, reg).Decode(record(value))
		if err != nil {
			t.Errorf("%s: %v", value, err)
			continue
		}
		if !e.Doc.Get("x").IsNil() || e.Doc.Get("y").At(1).Kind() != event.Null || e.Doc.Get("price").Text() != "0.10" {
			t.Errorf("%s reads as %v", value, e.Doc)
		}
		if e.Repaired != c.repaired {
			t.Errorf("%s: repaired %q, want %q", value, e.Repaired, c.repaired)
		}
		for _, kind := range c.kinds {
			if n := repairsOf(t, reg, kind); n != 1 {
				t.Errorf("%s: %v repairs %s", value, n, kind)
			}
		}
	}
}

func TestLargeNumbersStayNumbers(t *testing.T) {
	for _, literal := range []string{"1.7e308", "1e999", "2147483647", "9223372036854775807"} {
		e, err := decoder().Decode(record(`{"x":` + literal + `}`))
		if err != nil || e.Doc.Get("x").Text() != literal || e.Repaired != "" {
			t.Errorf("%s reads as %s, repaired %q, %v", literal, e.Doc.Get("x").Text(), e.Repaired, err)
		}
	}
}

func TestUnusableIDAndTypeAreCounted(t *testing.T) {
	config := event.Defaults()
	config.Topics[string(topics.TradeExecutions)] = event.Fields{ID: []string{"event_id", "id"}, Type: []string{"event_type"}}
	for value, c := range map[string]struct {
		id, kind, repaired string
		ids, kinds         float64
	}{
		`{"event_id":"a","event_type":"t"}`:          {"a", "t", "", 0, 0},
		`{"event_id":7,"event_type":5}`:              {"7", "5", "", 0, 0},
		`{"event_id":null,"id":"b"}`:                 {"b", "", "", 0, 0},
		`{"event_id":{"$oid":"6f"},"id":"b"}`:        {"b", "", "event_id is an object, which is no id: id is used instead; send a string or a number", 1, 0},
		`{"event_id":[],"id":true}`:                  {"", "", "event_id is an array, which is no id: the event has none; send a string or a number", 1, 0},
		`{"event_id":" ","event_type":["a","b"]}`:    {"", "", "event_id is an empty string, which is no id: the event has none; send a string or a number", 1, 1},
		`{"event_type":false}`:                       {"", "", "event_type is a boolean, which is no type: the event has none; send a string or a number", 0, 1},
		`{"event_id":"a","id":{},"event_type":null}`: {"a", "", "", 0, 0},
	} {
		reg := prometheus.NewPedanticRegistry()
		d := event.NewDecoder(&config, nil, reg)
		e, err := d.Decode(record(value))
		if err != nil || e.ID != c.id || e.Type != c.kind || e.Repaired != c.repaired {
			t.Errorf("%s: id %q, type %q, repaired %q, %v", value, e.ID, e.Type, e.Repaired, err)
		}
		if ids, kinds := repairsOf(t, reg, "event-id"), repairsOf(t, reg, "event-type"); ids != c.ids || kinds != c.kinds {
			t.Errorf("%s: %v and %v repairs, want %v and %v", value, ids, kinds, c.ids, c.kinds)
		}
		s := d.Scanner(string(topics.TradeExecutions))
		if quiet := s.Scan([]byte(value), arrived, arrived, make([]event.Found, s.Size())); quiet != (c.repaired == "") {
			t.Errorf("%s: the scanner says %v", value, quiet)
		}
	}
}

func TestPathsFindFlatMembers(t *testing.T) {
	config := event.Defaults()
	config.Topics[string(topics.TradeExecutions)] = event.Fields{ID: []string{"event.id"}, Type: []string{"a.b.c", "Order Type"}, Time: []string{"at.time"}}
	d := event.NewDecoder(&config, map[string][]string{string(topics.TradeExecutions): {}}, nil)
	want := time.Date(2026, 11, 23, 14, 31, 5, 0, time.UTC)
	for value, kind := range map[string]string{
		`{"event":{"id":"e1"},"a":{"b":{"c":"nested"}},"at":{"time":"2026-11-23T14:31:05Z"}}`: "nested",
		`{"event.id":"e1","a.b.c":"flat","at.time":"2026-11-23T14:31:05Z"}`:                   "flat",
		`{"event.id":"e1","a":{"b.c":"half"},"at.time":"2026-11-23T14:31:05Z"}`:               "half",
		`{"event.id":"e1","Order Type":"LMT","at.time":"2026-11-23T14:31:05Z"}`:               "LMT",
		`{"event":"x","event.id":"e1","Order Type":"","at.time":"2026-11-23T14:31:05Z"}`:      "",
	} {
		e, err := d.Decode(record(value))
		if err != nil || e.ID != "e1" || e.Type != kind || !e.Time.Equal(want) {
			t.Errorf("%s: id %q, type %q, time %s, %v", value, e.ID, e.Type, e.Time, err)
		}
	}
}

func TestRepairsAreLoggedOncePerTopic(t *testing.T) {
	var log bytes.Buffer
	d := event.NewDecoder(nil, nil, nil)
	d.Log(slog.New(slog.NewTextHandler(&log, nil)))
	for range 3 {
		for _, topic := range []topics.Name{topics.TradeExecutions, topics.PortfolioUpdates} {
			for _, value := range []string{`{"occurred_at":"soon"}`, `{"occurred_at":"later","event_id":{}}`} {
				r := record(value)
				r.Topic = string(topic)
				if _, err := d.Decode(r); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 4 {
		t.Errorf("%d lines, want one per topic and kind:\n%s", len(lines), &log)
	}
	if !strings.Contains(lines[0], "topic=trade-executions partition=3 offset=118 repair=event-time") || !strings.Contains(lines[0], `occurred_at is \"soon\", not a time that is read`) {
		t.Errorf("logged %s", lines[0])
	}
}

func TestUnusableValuesNameWhatIsUsedInstead(t *testing.T) {
	const forms = "; send RFC 3339, such as 2026-11-29T07:22:49Z, or milliseconds since 1970"
	attributes := []event.Header{{Name: "ce_specversion", Value: []byte("1.0")}, {Name: "ce_source", Value: []byte("/oms")}, {Name: "ce_type", Value: []byte("t")}, {Name: "ce_id", Value: []byte("c1")}, {Name: "ce_time", Value: []byte("2026-11-23T14:31:01Z")}}
	for want, c := range map[string]struct {
		value   string
		time    time.Time
		headers []event.Header
	}{
		"occurred_at is an array, not a time that is read: the record's timestamp is used instead" + forms:            {value: `{"occurred_at":[2026]}`, time: arrived},
		"occurred_at is \"2026-11-23\", a date without a time of day: the record's timestamp is used instead" + forms: {value: `{"occurred_at":"2026-11-23"}`, time: arrived},
		"occurred_at is \"7\", not a time that is read: the time of reading is used instead" + forms:                  {value: `{"occurred_at":"7"}`},
		"occurred_at is \"1970-01-01\", an implausible time: timestamp is used instead" + forms:                       {value: `{"occurred_at":"1970-01-01","timestamp":"2026-11-23T14:31:01Z"}`},
		"occurred_at is \"2099-01-01\", an implausible time: the CloudEvent's time is used instead" + forms:           {value: `{"occurred_at":"2099-01-01"}`, headers: attributes},
		"event_id is an object, which is no id: the CloudEvent's id is used instead; send a string or a number":       {value: `{"event_id":{}}`, headers: attributes},
	} {
		r := record(c.value)
		r.Time, r.Arrived, r.Headers = c.time, arrived, c.headers
		if e, err := event.NewDecoder(nil, nil, nil).Decode(r); err != nil || e.Repaired != want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", c.value, err, e.Repaired, want)
		}
	}
}
