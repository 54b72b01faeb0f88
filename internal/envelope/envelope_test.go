package envelope

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/offsets"
)

func arbitrary(t *rapid.T) *Envelope {
	nilable := func(label string) []byte {
		if rapid.IntRange(0, 4).Draw(t, label+" null") == 0 {
			return nil
		}
		return rapid.SliceOf(rapid.Byte()).Draw(t, label)
	}
	e := &Envelope{Source: Source{
		Topic: "trade-executions", TopicID: rapid.SampledFrom([]string{"", "AAAAAAAAAAAAAAAAAAAAAQ"}).Draw(t, "id"),
		Partition: rapid.Int32Min(0).Draw(t, "partition"), Offset: rapid.Int64Min(0).Draw(t, "offset"),
		Time: time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "time")).UTC(), Key: nilable("key"), Value: nilable("value"),
	}}
	n := rapid.SampledFrom([]int{0, 1, 3, 1000}).Draw(t, "headers")
	e.Source.Headers = make([]kgo.RecordHeader, 0, n)
	for i := range n {
		if i > 5 {
			e.Source.Headers = append(e.Source.Headers, e.Source.Headers[i%5])
			continue
		}
		name := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "notifier.original-headers", "notifier.version", "notifier.key", "notifier.checksum", "traceparent"})).Draw(t, "name")
		e.Source.Headers = append(e.Source.Headers, kgo.RecordHeader{Key: name, Value: nilable("header")})
	}
	e.Trace = rapid.SampledFrom([]string{"", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}).Draw(t, "trace")
	if rapid.Bool().Draw(t, "delivery") {
		e.Alert = &alert.Alert{
			ID: "al_x", Rule: "r", Severity: alert.Critical, Key: []string{"a", ""}, EventTime: time.UnixMilli(1).UTC(),
			Title: alert.Text{{Text: "Drawdown "}, {Text: rapid.String().Draw(t, "title"), Value: true}}, Throttle: time.Hour,
		}
		e.Delivery, e.Channel = "dl_x", "desk"
		e.From = offsets.Origin{Input: offsets.Input{Topic: e.Source.TopicID, Partition: 3}, From: offsets.Position{Epoch: -1, Offset: 7}, Done: offsets.Position{Epoch: 2, Offset: 5}, Delivery: "dl_x"}
		if rapid.Bool().Draw(t, "several") {
			e.Channels = []string{"desk", "mail"}
		}
		if rapid.Bool().Draw(t, "rerouted") {
			e.Instead = &Instead{Channel: "desk-slack", Cause: rapid.SampledFrom([]string{"", "suspended: invalid_auth"}).Draw(t, "cause")}
		}
		if rapid.Bool().Draw(t, "replay") {
			e.Replay = &Replay{Entry: rapid.SampledFrom([]string{"dl_x", "re_y"}).Draw(t, "entry"), Version: rapid.Int64Min(0).Draw(t, "version"), Number: 2, By: "ann@desk", FirstFailed: time.UnixMilli(5).UTC()}
			e.Replay.Comment = rapid.SampledFrom([]string{"", "venue is back"}).Draw(t, "comment")
			if rapid.Bool().Draw(t, "narrowed") {
				e.Replay.Delivered = []string{"bob@example.com", "eve@example.com"}
			}
			if rapid.Bool().Draw(t, "edited") {
				e.Replay.Edited, e.Replay.EditedBy = []byte(rapid.String().Draw(t, "edited value")), "ann@desk"
			}
			e.From.Delivery = e.DedupID()
		}
	}
	return e
}

func TestParseReturnsWrappedBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := arbitrary(t)
		r := Wrap(e)
		if r.Value == nil {
			t.Fatal("the value is null, a tombstone")
		}
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: "notifier.reason", Value: []byte("x")})
		got, extra, err := Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		if !sameBytes(got.Source.Key, e.Source.Key) || !sameBytes(got.Source.Value, e.Source.Value) {
			t.Fatalf("key or value changed: %+v", got.Source)
		}
		if len(got.Source.Headers) != len(e.Source.Headers) {
			t.Fatalf("%d headers, want %d", len(got.Source.Headers), len(e.Source.Headers))
		}
		for i, h := range e.Source.Headers {
			if got.Source.Headers[i].Key != h.Key || !sameBytes(got.Source.Headers[i].Value, h.Value) {
				t.Fatalf("header %d changed", i)
			}
		}
		if len(extra) != 1 || extra[0].Key != "notifier.reason" {
			t.Fatalf("extra headers %v", extra)
		}
		got.Source.Headers, e.Source.Headers = nil, nil
		got.Source.Key, got.Source.Value, e.Source.Key, e.Source.Value = nil, nil, nil, nil
		if !reflect.DeepEqual(got, e) {
			t.Fatalf("got %+v, want %+v", got, e)
		}
	})
}

func TestRepeatedWrapAddsNoHeaders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := arbitrary(t)
		first := Wrap(e)
		for range 50 {
			parsed, _, err := Parse(Wrap(e))
			if err != nil {
				t.Fatal(err)
			}
			e = parsed
		}
		if replay := Wrap(e); !reflect.DeepEqual(replay, first) {
			t.Fatalf("%d headers after 50 cycles, want %d", len(replay.Headers), len(first.Headers))
		}
	})
}

func TestForeignAndDamagedRecordsAreRejected(t *testing.T) {
	e := &Envelope{Source: Source{Topic: "trade-executions", Key: []byte("k"), Value: []byte("v")}}
	damaged := Wrap(e)
	damaged.Value = []byte("w")
	newer := Wrap(e)
	newer.Headers[0].Value = []byte("2")
	for name, tc := range map[string]struct {
		r    *kgo.Record
		want error
	}{
		"no headers":    {&kgo.Record{Value: []byte("x")}, ErrForeign},
		"other headers": {&kgo.Record{Headers: []kgo.RecordHeader{{Key: "a"}, {Key: "notifier.original-headers", Value: []byte("5")}}}, ErrForeign},
		"damaged":       {damaged, ErrChecksum},
		"newer version": {newer, ErrForeign},
	} {
		if _, _, err := Parse(tc.r); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseNeverPanics(f *testing.F) {
	f.Add([]byte("notifier.original-headers"), []byte("0"), []byte("notifier.from"), []byte("a/1/2/3"))
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 []byte) {
		_, _, _ = Parse(&kgo.Record{Headers: []kgo.RecordHeader{{Key: "notifier.version", Value: []byte("1")}, {Key: string(k1), Value: v1}, {Key: string(k2), Value: v2}}})
	})
}

func sameBytes(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }
