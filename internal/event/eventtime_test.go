package event_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/topics"
)

// TestImplausibleTimesAreRepaired: an implausible time is skipped for the next
// candidate; an old one is not.
func TestImplausibleTimesAreRepaired(t *testing.T) {
	now := time.Date(2026, 11, 23, 14, 31, 6, 0, time.UTC)
	at := func(text string) time.Time {
		v, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	recorded := at("2026-11-23T14:31:05Z")
	seconds := time.UnixMilli(recorded.Unix()) // seconds in the field for milliseconds: 1970
	micros := time.UnixMilli(recorded.UnixMicro())
	for name, c := range map[string]struct {
		value             string
		recorded          time.Time
		want              time.Time
		record, documents float64 // repairs
	}{
		"plausible":                   {`{"occurred_at":"2026-11-23T14:31:01Z"}`, recorded, at("2026-11-23T14:31:01Z"), 0, 0},
		"no time in the document":     {`{}`, recorded, recorded, 0, 0},
		"timestamp in seconds":        {`{}`, seconds, now, 1, 0},
		"timestamp in microseconds":   {`{}`, micros, now, 1, 0},
		"timestamp of no type":        {`{}`, time.UnixMilli(-1), now, 1, 0},
		"bad timestamp beside a time": {`{"occurred_at":"2026-11-23T14:31:01Z"}`, seconds, at("2026-11-23T14:31:01Z"), 1, 0},
		"no timestamp at all":         {`{}`, time.Time{}, now, 0, 0},
		"weeks old":                   {`{"occurred_at":"2026-10-01T00:00:00Z"}`, recorded, at("2026-10-01T00:00:00Z"), 0, 0},
		"nine years old":              {`{"occurred_at":"2017-11-24T00:00:00Z"}`, recorded, at("2017-11-24T00:00:00Z"), 0, 0},
		"eleven years old":            {`{"occurred_at":"2015-11-23T00:00:00Z"}`, recorded, recorded, 0, 1},
		"as old as its record":        {`{"occurred_at":"1998-03-02T00:00:00Z"}`, at("1998-03-03T00:00:00Z"), at("1998-03-02T00:00:00Z"), 0, 0},
		"a date":                      {`{"occurred_at":"2026-11-23"}`, recorded, recorded, 0, 1},
		"a date as digits":            {`{"occurred_at":20261123}`, recorded, recorded, 0, 1},
		"a date as a text of digits":  {`{"occurred_at":" 20261123"}`, recorded, recorded, 0, 1},
		"a date of Jackson":           {`{"occurred_at":[2026,11,23]}`, recorded, recorded, 0, 1},
		"a date, then a time":         {`{"occurred_at":"2026-11-23","timestamp":"1795444264"}`, recorded, at("2026-11-23T14:31:04Z"), 0, 1},
		"minutes as digits":           {`{"occurred_at":202611231431}`, recorded, recorded, 0, 1},
		"seconds as digits":           {`{"occurred_at":20261123143101}`, recorded, at("2026-11-23T14:31:01Z"), 0, 0},
		"Jackson":                     {`{"occurred_at":[2026,11,23,14,31,1,0]}`, recorded, at("2026-11-23T14:31:01Z"), 0, 0},
		"Protobuf":                    {`{"occurred_at":{"seconds":1795444261,"nanos":0}}`, recorded, at("2026-11-23T14:31:01Z"), 0, 0},
		"an object":                   {`{"occurred_at":{"date":"2026-11-23"}}`, recorded, recorded, 0, 1},
		"a boolean":                   {`{"occurred_at":true}`, recorded, recorded, 0, 1},
		"an empty string":             {`{"occurred_at":""}`, recorded, recorded, 0, 1},
		"zero":                        {`{"occurred_at":0}`, recorded, recorded, 0, 1},
		"null":                        {`{"occurred_at":null}`, recorded, recorded, 0, 0},
		"unreadable, then a time":     {`{"occurred_at":"soon","timestamp":"2026-11-23T14:31:01Z"}`, recorded, at("2026-11-23T14:31:01Z"), 0, 1},
		"a time, then unreadable":     {`{"occurred_at":"2026-11-23T14:31:01Z","timestamp":"soon"}`, recorded, at("2026-11-23T14:31:01Z"), 0, 0},
		"timestamp years old":         {`{}`, at("2014-03-02T00:00:00Z"), at("2014-03-02T00:00:00Z"), 0, 0},
		"a clock that is hours ahead": {`{"occurred_at":"2026-11-24T14:31:05Z"}`, recorded, at("2026-11-24T14:31:05Z"), 0, 0},
		"more than a day ahead":       {`{"occurred_at":"2026-11-24T14:31:07Z"}`, recorded, recorded, 0, 1},
		"years ahead":                 {`{"occurred_at":"2099-01-01T00:00:00Z"}`, recorded, recorded, 0, 1},
		"beyond int64 nanoseconds":    {`{"occurred_at":"9999-12-31T23:59:59Z"}`, recorded, recorded, 0, 1},
		"Go's zero time":              {`{"occurred_at":"0001-01-01T00:00:00Z"}`, recorded, recorded, 0, 1},
		"1970":                        {`{"occurred_at":"1970-01-21T10:44:04Z"}`, recorded, recorded, 0, 1},
		"1985":                        {`{"occurred_at":"1985-01-01T00:00:00Z"}`, recorded, recorded, 0, 1},
		"the next path":               {`{"occurred_at":"2099-01-01T00:00:00Z","timestamp":1795444264000}`, recorded, time.UnixMilli(1795444264000), 0, 1},
		"no plausible time":           {`{"occurred_at":"2099-01-01T00:00:00Z","timestamp":"1970-01-01T00:00:00Z"}`, seconds, now, 1, 1},
		"not a time":                  {`{"timestamp":7,"occurred_at":"yesterday"}`, recorded, recorded, 0, 1},
		"seconds as a number":         {`{"occurred_at":1795444264}`, recorded, time.Unix(1795444264, 0), 0, 0},
	} {
		reg := prometheus.NewPedanticRegistry()
		rec := event.Record{Topic: string(topics.TradeExecutions), Value: []byte(c.value), Time: c.recorded, Arrived: now}
		e, err := event.NewDecoder(nil, nil, reg).Decode(rec)
		if err != nil || !e.Time.Equal(c.want) {
			t.Errorf("%s: %s, %v; want %s", name, e.Time, err, c.want)
		}
		if repaired := c.record+c.documents > 0; repaired != (e.Repaired != "") {
			t.Errorf("%s: repaired %q", name, e.Repaired)
		}
		for repair, want := range map[string]float64{"record-timestamp": c.record, "event-time": c.documents} {
			if got := repairsOf(t, reg, repair); got != want {
				t.Errorf("%s: %v repairs %s, want %v", name, got, repair, want)
			}
		}
	}
}

// TestImplausibleCloudEventTimeIsRepaired like one in the document.
func TestImplausibleCloudEventTimeIsRepaired(t *testing.T) {
	rec := record(`{}`, event.Header{Name: "ce_id", Value: []byte("1")}, event.Header{Name: "ce_source", Value: []byte("/x")},
		event.Header{Name: "ce_type", Value: []byte("t")}, event.Header{Name: "ce_specversion", Value: []byte("1.0")},
		event.Header{Name: "ce_time", Value: []byte("2999-01-01T00:00:00Z")})
	rec.Arrived = arrived.Add(time.Hour)
	if e, err := decoder().Decode(rec); err != nil || !e.Time.Equal(arrived) || e.Repaired == "" {
		t.Errorf("%s, repaired %q, %v", e.Time, e.Repaired, err)
	}
}

func repairsOf(t *testing.T, reg *prometheus.Registry, repair string) (n float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := testutil.GatherAndLint(reg); err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "repair" && l.GetValue() == repair {
					n += m.GetCounter().GetValue()
				}
			}
		}
	}
	return n
}
