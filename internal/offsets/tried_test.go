package offsets

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestTriedRecordsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		committed := rapid.Int64Range(0, 1<<40).Draw(t, "committed")
		tried := make(map[int64]Tried)
		for range rapid.IntRange(0, 40).Draw(t, "n") {
			one := Tried{Attempts: rapid.IntRange(0, 300).Draw(t, "attempts"), Maybe: rapid.Bool().Draw(t, "maybe")}
			if rapid.Bool().Draw(t, "known") {
				one.First = time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "first"), 0)
			}
			tried[committed+rapid.Int64Range(0, 10_000).Draw(t, "offset")] = one
		}
		m := Metadata{Cluster: "c", TopicID: "t", Gaps: NoGaps, Crash: CrashMark{Owned: true, First: 7, Last: 90}, Tried: tried}
		m.Begin, m.Again = rapid.Int64Range(0, 1<<40).Draw(t, "begin"), rapid.Int64Range(0, 1<<33).Draw(t, "again")
		got, err := DecodeMetadata(m.Encode(committed), committed)
		if err != nil || !maps.Equal(got.Tried, tried) || got.Crash != m.Crash || got.Begin != m.Begin || got.Again != m.Again {
			t.Fatalf("%v, want %v: %v", got.Tried, tried, err)
		}
	})
}

// TestAttemptsTakeNoRoomFromOpenIDs that back-pressure allows for, and what may have
// been sent is listed before the others.
func TestAttemptsTakeNoRoomFromOpenIDs(t *testing.T) {
	d, tried := &Dedup{}, make(map[int64]Tried)
	in := Input{Topic: "AAAAAAAAAAAAAAAAAAAAAA", Partition: 3, Begin: 12345}
	for i := range int64(256) {
		d.Seen(Origin{Input: in, From: Position{5, 1_000_000 + 90*i}, Done: Position{5, 999_000}, Delivery: fmt.Sprint("dl_", i)})
	}
	now := time.Unix(1_800_000_000, 0)
	for i := range int64(4000) {
		tried[50_000+i] = Tried{Attempts: 5, First: now.Add(time.Duration(i*7919%9000) * time.Second), Maybe: i >= 3900 && i < 3900+MaybeListed}
	}
	m := Metadata{Cluster: "BBBBBBBBBBBBBBBBBBBBBB", TopicID: "CCCCCCCCCCCCCCCCCCCCCC", Dedup: d, Gaps: NoGaps, Tried: tried, Begin: 50_000, Crash: CrashMark{Owned: true, First: 50_000, Last: 54_000}}
	text := m.Encode(50_000)
	got, err := DecodeMetadata(text, 50_000)
	if err != nil || len(text) > 4000 {
		t.Fatal(len(text), err)
	}
	maybe := 0
	for _, one := range got.Tried {
		if one.Maybe {
			maybe++
		}
	}
	if n := len(got.Dedup.inputs[in].ids); n != 256 || maybe != MaybeListed {
		t.Errorf("%d ids, %d tried of which %d may have been sent, in %d characters", n, len(got.Tried), maybe, len(text))
	}
}

func TestDamagedListOfAttemptsIsRefused(t *testing.T) {
	good := Metadata{Cluster: "c", TopicID: "t", Gaps: NoGaps, Tried: map[int64]Tried{5: {Attempts: 3, First: time.Unix(1e9, 0)}}}.Encode(0)
	for _, text := range []string{good + "!", good[:len(good)-3], good + " x"} {
		if m, err := DecodeMetadata(text, 0); err == nil {
			t.Errorf("%s: %+v", text, m)
		}
	}
}

// TestAlertsRaisedAgainAreNew, and those from before may have been sent.
func TestAlertsRaisedAgainAreNew(t *testing.T) {
	var d Dedup
	o := Origin{Input: NewInput("t", 1, 0, 0), From: Position{0, 5}, Done: Position{0, 9}, Delivery: "dl_a"}
	d.Seen(o)
	if !d.Seen(o) || !o.Input.Again().IsZero() {
		t.Fatal("it was seen")
	}
	for range 2 {
		if o.Input = NewInput("t", 1, 0, 1_800_000_000); d.Seen(o) == (o.Done.Offset == 9) {
			t.Error("raised again it is new, once")
		}
		o.Done.Offset++
	}
	if got := o.Input.Again().Unix(); got != 1_800_000_000 {
		t.Error(got)
	}
	if NewInput("", 1, 0, 1).Topic != "" {
		t.Error("without a topic id nothing is ever dropped")
	}
}
