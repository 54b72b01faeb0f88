package webhook

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
)

// encoded is what encoding/json makes of a payload.
func encoded(p payload) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(p)
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), err
}

func compareEncoded(t *testing.T, p payload) {
	t.Helper()
	want, wantErr := encoded(p)
	got, err := p.appendJSON([]byte("x"))
	if (err != nil) != (wantErr != nil) || err == nil && string(got) != "x"+want {
		t.Errorf("%s, %v\nwant x%s, %v", got, err, want, wantErr)
	}
}

// full returns a payload of which no member is empty, by reflection, so that a new one
// is not forgotten.
func full(t *testing.T, text string, at time.Time) payload {
	t.Helper()
	p := payload{
		Key: []string{text, "b"}, Fields: []field{{text, "v"}, {"l", text}}, EventTime: at, Since: &at, Instead: &instead{text, text},
		Digest: &digest{Group: []string{text}, First: at, Last: at, Items: []item{{Title: text, EventTime: at}}},
	}
	v := reflect.ValueOf(&p).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case f.Kind() == reflect.String:
			f.SetString(text)
		case f.Kind() == reflect.Bool:
			f.SetBool(true)
		case f.CanInt():
			f.SetInt(7)
		case f.CanFloat():
			f.SetFloat(1.25)
		case f.Kind() != reflect.Struct && f.IsZero(): // event_time may be zero
			t.Fatalf("set %s here", v.Type().Field(i).Name)
		}
	}
	return p
}

func TestPayloadIsEncodedAsByEncodingJSON(t *testing.T) {
	at := time.Date(2026, 11, 30, 9, 5, 3, 120_000_000, time.UTC)
	for _, text := range []string{"plain", "", `"quoted" \ <b>&</b>`, "line\nbreak\x00", "ä €\u2028😀", "broken \xff"} {
		compareEncoded(t, full(t, text, at))
		compareEncoded(t, payload{Title: text, EventTime: at, Key: []string{}, Fields: []field{}})
	}
	for _, at := range []time.Time{{}, at.In(time.FixedZone("", 3600)), time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)} {
		compareEncoded(t, full(t, "plain", at))
	}
}

func FuzzPayload(f *testing.F) {
	f.Add("plain", int64(1), 2.5)
	f.Add("\x7f\xc3\x28<", int64(-1), 1e-9)
	f.Fuzz(func(t *testing.T, text string, seconds int64, late float64) {
		p := full(t, text, time.Unix(seconds, 5).UTC())
		p.LateSeconds = late
		compareEncoded(t, p)
	})
}

// message returns a message as most are.
func message() channel.Message {
	a := alert.Alert{
		ID: "al_1", Rule: "rejected", Severity: alert.Warning, Key: []string{"o-1234567"}, Title: alert.Text{{Text: "Rejected "}, {Text: "AAPL", Value: true}},
		EventTime: time.Now(), EventType: "trade_execution", EventID: "e1234567", Topic: "trade-executions",
	}
	event := []byte(`{"event_id":"e1","event_type":"trade_execution","session_id":"s1","quantity":100,"price":187.42,"status":"REJECTED","timestamp":"2026-11-30T09:05:03Z"}`)
	return channel.Message{Delivery: "dl_1", Alert: a, Event: event, Now: a.EventTime}
}

func TestRenderingAllocatesLittle(t *testing.T) {
	m := message()
	if n := testing.AllocsPerRun(100, func() { _, _ = render(m, true) }); n > 4 { // the body, the group, the title
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRender(b *testing.B) {
	m := message()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := render(m, true); err != nil {
			b.Fatal(err)
		}
	}
}
