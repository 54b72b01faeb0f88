package deliverylog

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/outcome"
)

var at = time.Date(2026, 11, 23, 14, 31, 5, 123456000, time.UTC)

// sample is a record with everything set.
func sample() *Record {
	r := New(&envelope.Envelope{
		Source:   envelope.Source{Topic: "trade-executions", TopicID: "dG9waWMtaWQtb2YtMTZi", Partition: 3, Offset: 918273},
		Delivery: "dl_o7uh42hk3m5n", Channel: "desk-slack", Replay: &envelope.Replay{Number: 2},
		Alert: &alert.Alert{
			ID: "al_6f2cxyzkq3m5n", Rule: "margin-call", Severity: alert.Critical, Key: []string{"ACC-7", ""}, KeyNames: []string{"account_id", ""}, Group: []string{"XNAS"}, Topic: "trade-executions", EventTime: at, EventID: "e-1", EventType: "margin.call",
			Title:  alert.Text{{Text: "Margin call on "}, {Text: "ACC-7", Value: true}},
			Fields: []alert.Field{{Label: "venue", Value: alert.Text{{Text: "XN"}, {Text: "AS", Value: true}}}},
		},
	})
	r.Decision, r.Ended, r.Received, r.Outbox = DeadLettered, at.Add(2*time.Second), at.Add(time.Second), Place{TopicID: "x", Partition: 1, Offset: 12}
	var made Attempts
	made.Add(Attempt{Started: at, Duration: Seconds(212345 * time.Microsecond), Result: "message", Cause: outcome.PayloadRefused, Detail: "400 <invalid_blocks>"})
	made.To(r)
	r.Digest, r.Earlier, r.Receipt, r.MayBeDuplicate, r.To, r.ResentBy, r.Client = "dl_aaaaaaaaaaaaaaaaaaaaaaaaaa", 1, "1772550911.004", true, "desk-mail", "ann@desk", "notifier"
	r.Silence = "sil_abcdefgh"
	r.Reason, r.Cause, r.Detail = outcome.Refused, outcome.PayloadRefused, "400 <invalid_blocks>"
	return r
}

func encoded(t *testing.T, r *Record) []byte {
	t.Helper()
	b, err := encode(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRecordSurvivesItsEncoding(t *testing.T) {
	want := sample()
	text := encoded(t, want)
	got, err := Parse(&kgo.Record{Value: text})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\ngot  %+v\nwant %+v\n%s", err, got, want, text)
	}
	for _, part := range []string{
		`{"version":1,"decision":"dead_lettered","ended":"2026-11-23T14:31:07.123456Z","alert":"al_6f2cxyzkq3m5n",`, `"key":["ACC-7",""],"key_names":["account_id",""],"group":["XNAS"],"title":"Margin call on ACC-7","fields":[{"label":"venue","value":"XNAS"}]`,
		`"duration_seconds":0.212345`, `"detail":"400 <invalid_blocks>"`, `"offset":918273`,
	} {
		if !strings.Contains(string(text), part) {
			t.Errorf("%s lacks %s", text, part)
		}
	}
}

func TestForeignRecordsAreNotParsed(t *testing.T) {
	good := string(encoded(t, sample()))
	for what, value := range map[string]string{
		"nothing": "", "text": "hello", "null": "null", "another version": strings.Replace(good, `"version":1`, `"version":2`, 1),
		"no decision": strings.Replace(good, "dead_lettered", "", 1), "an impossible id": strings.Replace(good, "al_6f2c", "al 6f2c", 1),
		"no delivery": strings.Replace(good, "dl_o7uh42hk3m5n", "", 1), "a negative duration": strings.Replace(good, "0.212345", "-1", 1),
	} {
		if r, err := Parse(&kgo.Record{Value: []byte(value)}); err == nil {
			t.Errorf("%s: %+v", what, r)
		}
	}
	later := strings.Replace(good, "dead_lettered", "silenced", 1)
	if r, err := Parse(&kgo.Record{Value: []byte(later)}); err != nil || r.Decision != "silenced" {
		t.Errorf("a decision of a later version: %+v, %v", r, err)
	}
}

func TestAttemptsKeepFirstAndLast(t *testing.T) {
	var made Attempts
	for i := range 1000 {
		made.Add(Attempt{Duration: Seconds(i)})
	}
	var r Record
	made.To(&r)
	var kept []int
	for _, a := range r.Attempts {
		kept = append(kept, int(a.Duration))
	}
	if !reflect.DeepEqual(kept, []int{0, 1, 2, 997, 998, 999}) || r.Omitted != 994 || r.Tried() != 1000 {
		t.Errorf("kept %v, %d omitted, %d tried", kept, r.Omitted, r.Tried())
	}
}

// FuzzRecordIsBounded: whatever the texts are, the record fits and is valid JSON.
func FuzzRecordIsBounded(f *testing.F) {
	f.Add("plain", 1)
	f.Add("\x00\xff\u2028<&>", 3000)
	f.Add("…", 10_000)
	f.Fuzz(func(t *testing.T, text string, n int) {
		text = strings.Repeat(text, min(max(n, 0), 50_000)/max(len(text), 1))
		r := sample()
		for _, s := range r.texts() {
			*s = text
		}
		r.Key = nil
		for range 40 {
			r.Key = append(r.Key, text)
		}
		var made Attempts
		for range 20 {
			made.Add(Attempt{Started: at, Duration: Seconds(time.Hour), Result: "message", Cause: outcome.PayloadRefused, Detail: text})
		}
		made.To(r)
		value := encoded(t, r)
		plain := new(bytes.Buffer)
		enc := json.NewEncoder(plain)
		enc.SetEscapeHTML(false)
		if short := shorten(r, limits[len(limits)-1]); enc.Encode(short) != nil || string(short.appendJSON(nil))+"\n" != plain.String() {
			t.Errorf("encoding/json writes\n%s, not\n%s", plain, short.appendJSON(nil))
		}
		if len(value) > MaxSize || !json.Valid(value) {
			t.Errorf("%d bytes: %.200s", len(value), value)
		}
		got, err := Parse(&kgo.Record{Value: value})
		if err != nil || got.Delivery != r.Delivery || len(got.Attempts) != 6 || got.Omitted != 14 {
			t.Errorf("%v: %.200s", err, value)
		}
		if len(text) > 512 && !got.Cut {
			t.Error("it is cut and does not say so")
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	r := sample()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := encode(r); err != nil {
			b.Fatal(err)
		}
	}
}
