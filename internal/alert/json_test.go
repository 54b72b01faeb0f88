package alert

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// draw sets every field, whatever fields there are.
func draw(t *rapid.T, v reflect.Value) {
	text := rapid.OneOf(rapid.StringMatching(`[ -~]*`), rapid.String(), rapid.SampledFrom([]string{"", "Drawdown – 5 %", "\u2028", "a\"b", "\xff", "é\n", "é\x7f"}))
	switch v.Interface().(type) {
	case time.Time:
		at := time.Unix(rapid.Int64Range(-1e9, 4e11).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))
		zone := rapid.SampledFrom([]*time.Location{time.UTC, time.FixedZone("", 5400), time.FixedZone("", 30*3600), time.FixedZone("", 61)}).Draw(t, "zone")
		v.Set(reflect.ValueOf(at.In(zone)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text.Draw(t, "text"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int64, reflect.Int:
		v.SetInt(rapid.OneOf(rapid.Just(int64(0)), rapid.Int64()).Draw(t, "int"))
	case reflect.Slice:
		n := rapid.IntRange(-1, 3).Draw(t, "length")
		if n < 0 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			draw(t, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			draw(t, v.Field(i))
		}
	default:
		t.Fatalf("no values for %s", v.Type())
	}
}

// TestAlertIsEncodedAsByEncodingJSON: a new field of Alert has to be in AppendJSON too.
func TestAlertIsEncodedAsByEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a Alert
		draw(t, reflect.ValueOf(&a).Elem())
		want, wantErr := marshal(&a)
		got, err := a.AppendJSON([]byte("x"))
		if (err == nil) != (wantErr == nil) || err == nil && string(got) != "x"+string(want) {
			t.Fatalf("%s, %v\nwant\n%s, %v", got, err, want, wantErr)
		}
		if err == nil {
			sameDecoded(t, want)
		}
	})
}

func FuzzAlertIsDecodedAsByEncodingJSON(f *testing.F) {
	f.Add([]byte(`{"id":"al_1","rule":"r","severity":"info","worst_severity":"critical","key":["a","b"],"group":["g"],"title":["x ",{"v":"é"}],"text":["t"],"fields":[{"label":"l","value":[{"v":"1"}]}],` +
		`"event_time":"2026-11-30T12:00:00.5Z","event_type":"y","event_id":"e1","topic":"t","runbook":"https://x","throttle_ns":1,"expire_ns":2,"clears":true,"remind_ns":3,"reminder":4,"since":"2026-11-30T11:00:00Z","shortened":true}`))
	f.Add([]byte(`{"id":"","rule":"","severity":"","key":null,"title":[],"event_time":"0001-01-01T00:00:00Z","topic":"","throttle_ns":01}`))
	f.Add([]byte(`{"id":"","rule":"","severity":"","key":["\u0041"],"title":["x"],"event_time":"2026-11-30T12:00:00Z","topic":""} `))
	f.Fuzz(func(t *testing.T, b []byte) { sameDecoded(t, b) })
}

func sameDecoded(t interface{ Fatalf(string, ...any) }, b []byte) {
	var want Alert
	wantErr := json.Unmarshal(b, &want)
	got, err := Decode(bytes.Clone(b))
	if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(*got, want) {
		t.Fatalf("%q is read as\n%+v, %v\nwant\n%+v, %v", b, got, err, want, wantErr)
	}
}

func example() *Alert {
	return &Alert{
		ID: "al_2rsxkcbd6wb7o3e4l5h6j7k2mn", Rule: "rejected", Severity: Warning, Key: []string{"o-12345"}, Topic: "trade-executions",
		Title:     Text{{Text: "Rejected – "}, {Text: "AAPL", Value: true}, {Text: " "}, {Text: "o-12345", Value: true}},
		EventTime: time.Date(2026, 11, 30, 12, 0, 0, 123456789, time.UTC), EventType: "trade_execution", EventID: "e12345", Throttle: time.Hour,
		Fields: []Field{{Label: "Session", Value: Text{{Text: "s12", Value: true}}}},
	}
}

// TestUsualAlertIsDecodedByHand: an alert as rules make it takes the short way.
func TestUsualAlertIsDecodedByHand(t *testing.T) {
	b, err := example().JSON()
	if err != nil {
		t.Fatal(err)
	}
	r := reader{bytes: b, text: string(b)}
	if a := new(Alert); !r.alert(a) || !reflect.DeepEqual(a, example()) {
		t.Errorf("stopped before %s", r.text[r.at:])
	}
	buf := make([]byte, 0, 2*len(b))
	if n := testing.AllocsPerRun(100, func() { _, _ = example().AppendJSON(buf) }); n > 8 { // example's own
		t.Errorf("encoding allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = Decode(b) }); n > 8 {
		t.Errorf("decoding allocates %v times", n)
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	a, buf := example(), make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = a.AppendJSON(buf)
	}
}

func BenchmarkDecode(b *testing.B) {
	text, _ := example().JSON()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = Decode(text)
	}
}

func BenchmarkID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		NewDelivery(NewID("notification-service", Source{"kcluster", "AAAAAAAAAAAAAAAAAAAAAQ", 3, 123456}, "rejected"), "hook")
	}
}
