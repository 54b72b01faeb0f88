package offsets

import (
	"testing"
	"time"
)

func TestWaitingCountsWhatIsNotFinished(t *testing.T) {
	tracker := NewTracker(Position{Epoch: 0, Offset: 100}, &Dedup{})
	var entries []*Entry
	for i := range int64(10) {
		entries = append(entries, tracker.Begin(Position{Epoch: 0, Offset: 100 + i}, 1, time.Time{}, Origin{}))
	}
	for _, i := range []int{2, 3, 7} { // 100, 101, 104, 105, 106, 108, 109 wait
		tracker.Settle(entries[i])
	}
	text := Metadata{Cluster: "cluster", TopicID: "topic", Dedup: tracker.Dedup(), Gaps: tracker.Open()}.Encode(100)
	for name, c := range map[string]struct {
		commit     Commit
		start, end int64
		first, n   int64
	}{
		"what is finished above counts":         {Commit{"cluster", "topic", 100, text}, 0, 110, 100, 7},
		"and what came since":                   {Commit{"cluster", "topic", 100, text}, 0, 1000, 100, 897},
		"below a bound between them":            {Commit{"cluster", "topic", 100, text}, 0, 104, 100, 2},
		"retention has passed the commit":       {Commit{"cluster", "topic", 100, text}, 103, 110, 104, 5},
		"another cluster's list is no list":     {Commit{"other", "topic", 100, text}, 0, 110, 100, 10},
		"a recreated topic begins at its start": {Commit{"cluster", "new", 100, text}, 0, 5, 0, 5},
		"without ids the list counts":           {Commit{"cluster", "", 100, text}, 0, 110, 100, 7},
		"no commit":                             {Commit{"cluster", "topic", -1, ""}, 3, 10, 3, 7},
		"foreign metadata: the offset counts":   {Commit{"cluster", "topic", 100, "x"}, 0, 110, 100, 10},
		"nothing waits":                         {Commit{"cluster", "topic", 110, ""}, 0, 110, 110, 0},
		"an end below the commit (a lost log)":  {Commit{"cluster", "topic", 110, ""}, 0, 50, 110, 0},
		"no list: the binding alone was taken":  {Commit{"cluster", "topic", 100, Binding("cluster", "topic")}, 0, 110, 100, 10},
	} {
		if first, n := c.commit.Unsettled(c.start, c.end); first != c.first || n != c.n {
			t.Errorf("%s: %d wait from %d, want %d from %d", name, n, first, c.n, c.first)
		}
	}
}

func TestLostCountsWhatWasNotFinished(t *testing.T) {
	tracker := NewTracker(Position{Epoch: 0, Offset: 100}, &Dedup{})
	var entries []*Entry
	for i := range int64(10) {
		entries = append(entries, tracker.Begin(Position{Epoch: 0, Offset: 100 + i}, 1, time.Time{}, Origin{}))
	}
	for _, i := range []int{2, 3, 7} { // 100, 101, 104, 105, 106, 108, 109 wait
		tracker.Settle(entries[i])
	}
	text := Metadata{Cluster: "cluster", TopicID: "topic", Dedup: tracker.Dedup(), Gaps: tracker.Open()}.Encode(100)
	for name, c := range map[string]struct {
		commit   Commit
		start, n int64
	}{
		"nothing was deleted":                  {Commit{"cluster", "topic", 100, text}, 100, 0},
		"what is finished above is not lost":   {Commit{"cluster", "topic", 100, text}, 105, 3},
		"of another service's commits all are": {Commit{"cluster", "topic", 100, "x"}, 105, 5},
		"a recreated topic has lost nothing":   {Commit{"cluster", "new", 100, text}, 105, 0},
		"no commit":                            {Commit{"cluster", "topic", -1, ""}, 105, 0},
	} {
		if n := c.commit.Lost(c.start); n != c.n {
			t.Errorf("%s: %d are lost, want %d", name, n, c.n)
		}
	}
}
