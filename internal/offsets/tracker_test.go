package offsets

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func at(offset int64) Position { return Position{Epoch: 1, Offset: offset} }

func TestWatermarkWaitsForTheGapToClose(t *testing.T) {
	tr := NewTracker(at(3), &Dedup{})
	var e [6]*Entry
	for _, o := range []int64{3, 4, 5} {
		e[o] = tr.Begin(at(o), 1, time.Time{}, Origin{})
	}
	for _, step := range []struct{ settle, watermark int64 }{{5, 3}, {4, 3}, {3, 6}} {
		tr.Settle(e[step.settle])
		if got := tr.Watermark().Offset; got != step.watermark {
			t.Fatalf("after settling %d the watermark is %d, want %d", step.settle, got, step.watermark)
		}
	}
	if tr.Finished() != 3 || tr.Unsettled() != 0 {
		t.Fatalf("finished %d, unsettled %d", tr.Finished(), tr.Unsettled())
	}
}

func TestGapsInOffsetsAreNoGapsInWork(t *testing.T) {
	tr := NewTracker(at(0), &Dedup{})
	a := tr.Begin(at(7), 1, time.Time{}, Origin{}) // 0 to 6 were compacted away
	b := tr.Begin(at(20), 1, time.Time{}, Origin{})
	tr.Settle(a)
	if got := tr.Watermark().Offset; got != 20 {
		t.Fatalf("watermark %d", got)
	}
	tr.Settle(b)
	if got := tr.Watermark().Offset; got != 21 {
		t.Fatalf("watermark %d", got)
	}
}

// Whatever the order of settling: the watermark never goes back, never passes
// unsettled work, and the marks are those of exactly the records below it.
func TestTrackerUnderAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tr := NewTracker(at(0), &Dedup{})
		open := map[int64]*Entry{}
		writes := map[int64]Origin{}
		next, last := int64(0), int64(0)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if len(open) == 0 || rng.IntN(2) == 0 {
				next += 1 + int64(rng.IntN(3))
				w := Origin{
					Input: Input{Topic: "t", Partition: int32(rng.IntN(2))},
					From:  at(next), Done: at(max(0, next-int64(rng.IntN(10)))), Delivery: fmt.Sprint(next),
				}
				writes[next] = w
				open[next] = tr.Begin(at(next), 1, time.Time{}, w)
			} else {
				for o, e := range open { // any
					tr.Settle(e)
					tr.Settle(e) // twice changes nothing
					delete(open, o)
					break
				}
			}
			w := tr.Watermark().Offset
			if w < last {
				t.Fatalf("watermark went from %d to %d", last, w)
			}
			last = w
			var want Dedup
			for o := range writes {
				if _, unsettled := open[o]; unsettled && o < w {
					t.Fatalf("watermark %d passed %d, which is unsettled", w, o)
				}
			}
			for o := int64(0); o < w; o++ {
				if write, ok := writes[o]; ok {
					want.Seen(write)
				}
			}
			checkGaps(t, tr, open, writes, w)
			if got, want := string(tr.Dedup().Append(nil, 1<<20)), string(want.Append(nil, 1<<20)); got != want {
				t.Fatalf("marks as of %d are not those of the records below it", w)
			}
		}
	})
}

// checkGaps holds the list of a commit against what is open: whole, it
// says of each record whether it is finished; cut short, it says of none that
// is open that it is.
func checkGaps(t *rapid.T, tr *Tracker, open map[int64]*Entry, writes map[int64]Origin, watermark int64) {
	t.Helper()
	gaps := len(tr.Open().runs)
	if gaps != tr.Gaps() {
		t.Fatalf("%d runs, and %d gaps are counted", gaps, tr.Gaps())
	}
	for _, limit := range []int{1 << 20, 40, 12} {
		list, err := decodeGaps(tr.Open().encode(nil, watermark, limit), watermark)
		if err != nil {
			t.Fatal(err)
		}
		for o := range writes {
			_, unsettled := open[o]
			switch finished := list.Settled(o, watermark); {
			case finished && unsettled:
				t.Fatalf("limit %d: %d is open and listed as finished: %+v", limit, o, list)
			case limit == 1<<20 && !finished && !unsettled && o >= watermark:
				t.Fatalf("%d is finished and not listed as that: %+v", o, list)
			}
		}
	}
	for _, e := range open {
		if splits := tr.Splits(e); splits != (gapsAfter(tr, e) > gaps) {
			t.Fatalf("settling %d splits a run: %v; there are %d", e.offset, splits, gaps)
		}
	}
}

// gapsAfter is how many runs there would be if a record were settled.
func gapsAfter(tr *Tracker, settled *Entry) int {
	gaps := 0
	for e := tr.first; e != nil; e = e.next {
		if e != settled && (e.behindN > 0 || e.next == settled) {
			gaps++
		}
	}
	return gaps
}

func TestLongestGapListFitsIntoACommit(t *testing.T) {
	tr := NewTracker(at(1_000_000_000), &Dedup{})
	var entries []*Entry
	for o := range int64(4096) {
		entries = append(entries, tr.Begin(at(1_000_000_000+o), 1, time.Time{}, Origin{}))
	}
	for i, e := range entries { // every second, as far as may be
		if i%2 == 1 && (tr.Gaps() < MaxGaps || !tr.Splits(e)) {
			tr.Settle(e)
		}
	}
	if tr.Gaps() != MaxGaps {
		t.Fatalf("%d gaps", tr.Gaps())
	}
	list := tr.Open().encode(nil, 1_000_000_000, gapsLimit)
	if u, err := decodeGaps(list, 1_000_000_000); err != nil || len(u.runs) != MaxGaps {
		t.Errorf("%d runs in %d bytes, %v", len(u.runs), len(list), err)
	}
}

func TestMetadataRoundTripsAndForeignTextIsRefused(t *testing.T) {
	var m Dedup
	for i := range 1000 {
		m.Seen(Origin{Input: Input{Topic: "AAAAAAAAAAAAAAAAAAAAAA", Partition: int32(i % 7)}, From: at(int64(i)), Delivery: fmt.Sprintf("dl_%026d", i)})
	}
	gaps := Gaps{newest: 20, runs: []run{{7, 7}, {9, 12}}}
	for _, mark := range []CrashMark{Unmarked, Owned, {Owned: true, First: 3, Last: 9, Deaths: 1}} {
		text := Metadata{Cluster: "cluster", TopicID: "topic", Dedup: &m, Gaps: gaps, Crash: mark}.Encode(7)
		if len(text) > metadataLimit {
			t.Fatalf("%d characters", len(text))
		}
		got, err := DecodeMetadata(text, 7)
		if err != nil || got.Cluster != "cluster" || got.TopicID != "topic" || got.Crash != mark || fmt.Sprint(got.Gaps) != fmt.Sprint(gaps) || len(got.Dedup.Append(nil, 1<<20)) == 0 {
			t.Fatalf("%+v %v", got, err)
		}
	}
	if got, err := DecodeMetadata(Binding("", ""), 0); err != nil || got.Cluster != "" || got.TopicID != "" || got.Crash != Unmarked {
		t.Fatalf("%+v %v", got, err)
	}
	for _, foreign := range []string{"", "member-7", "notifier/9 a b", "notifier/2 a", "notifier/2 a b !!!", "notifier/2 a b AAAA", "notifier/2 a b - !", "notifier/2 a b - AAAB", "notifier/2 a b - - -", strings.Repeat("x", 5000)} {
		if _, err := DecodeMetadata(foreign, 0); err == nil {
			t.Errorf("%.20q was taken for ours", foreign)
		}
	}
}

// TestTruncatedLogIsNotCommittedPastUnsettledRecords: after an unclean
// election the log may continue from a lower offset, with other records.
func TestTruncatedLogIsNotCommittedPastUnsettledRecords(t *testing.T) {
	pos := func(epoch int32, offset int64) Position {
		return Position{Epoch: epoch, Offset: offset}
	}
	tr := NewTracker(pos(0, 0), &Dedup{})
	old := make([]*Entry, 8)
	for i := range old {
		old[i] = tr.Begin(pos(0, int64(i)), 1, time.Time{}, Origin{})
	}
	for _, i := range []int{0, 1, 2, 3, 5, 7} {
		tr.Settle(old[i])
	}
	later := []*Entry{tr.Begin(pos(1, 2), 1, time.Time{}, Origin{}), tr.Begin(pos(1, 3), 1, time.Time{}, Origin{})}
	if w := tr.Watermark(); w.Offset != 2 {
		t.Errorf("the watermark is %v while offset 2 of the new log is unsettled", w)
	}
	tr.Settle(later[1])
	tr.Settle(old[4])
	tr.Settle(old[6])
	if w := tr.Watermark(); w.Offset != 2 {
		t.Errorf("the watermark is %v while offset 2 of the new log is unsettled", w)
	}
	tr.Settle(later[0])
	if w := tr.Watermark(); w != pos(1, 4) {
		t.Errorf("the watermark is %v when all is settled", w)
	}
}
