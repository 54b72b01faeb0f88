//go:build synctests

package endtoend

import (
	"log/slog"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/simulation/oracle"
)

// The excuses of contract_test.go: each in a case that it covers, and in a similar
// one that it does not.

func TestOvertakingExcusesItsRangeOnly(t *testing.T) {
	var o overtakings
	r := slog.NewRecord(time.Now(), slog.LevelWarn, "", 0)
	r.Add("outbox", "o", "topic", "t", "partition", int32(1), "offset", int64(5), "until", int64(8))
	o.note(r)
	for at, want := range map[oracle.Place]bool{
		{Topic: "t", Partition: 1, Offset: 5}: true, {Topic: "t", Partition: 1, Offset: 7}: true,
		{Topic: "t", Partition: 1, Offset: 4}: false, {Topic: "t", Partition: 1, Offset: 8}: false,
		{Topic: "t", Partition: 2, Offset: 5}: false, {Topic: "u", Partition: 1, Offset: 5}: false,
	} {
		if got := o.covers(oracle.Happening{Place: oracle.Place{Topic: "o"}, From: at}); got != want {
			t.Errorf("%v: %v", at, got)
		}
	}
	if o.covers(oracle.Happening{Place: oracle.Place{Topic: "p"}, From: oracle.Place{Topic: "t", Partition: 1, Offset: 5}}) {
		t.Error("another outbox")
	}
}

func TestLateCommitExcusesOnlyLowerOffsets(t *testing.T) {
	for committed, excused := range map[int64]bool{6: true, 7: false, 8: false} {
		if got := carriedOutLate(committed, 7); got != excused {
			t.Errorf("%d of 7: excused %v", committed, got)
		}
	}
}

func TestAssignmentIsToldBeforeItsFirstCommit(t *testing.T) {
	place := oracle.Place{Topic: "t", Offset: 7}
	claim := func(at time.Duration, by int, place oracle.Place) step {
		return step{at: at, kind: committed, by: by, what: oracle.Happening{Group: "g", Place: place}}
	}
	assignment := step{at: 1, kind: assigned, by: 1, what: oracle.Happening{Group: "g", Place: oracle.Place{Topic: "t"}}, commits: []commit{{topic: "t"}}}
	other := place
	other.Partition = 1
	sync := func(by int, group string) step {
		return step{at: 1, kind: synced, by: by, what: oracle.Happening{Group: group}}
	}
	for name, c := range map[string]struct {
		before []step
		want   int // where the assignment is told
	}{
		"its own commit":            {[]step{claim(1, 2, place), claim(1, 1, place), claim(1, 1, place)}, 1},
		"one of an instant before":  {[]step{claim(0, 1, place)}, 1},
		"one of another process":    {[]step{claim(1, 2, place)}, 1},
		"one of another partition":  {[]step{claim(1, 1, other)}, 1},
		"the last one before":       {[]step{claim(1, 1, place), sync(1, "g"), claim(1, 1, place)}, 2},
		"only the last one before":  {[]step{claim(1, 1, place), sync(1, "g")}, 2},
		"a sync of another process": {[]step{claim(1, 1, place), sync(2, "g")}, 0},
		"a sync of another group":   {[]step{claim(1, 1, place), sync(1, "h")}, 0},
		"none":                      {nil, 0},
	} {
		list := assignedFirst(append(c.before, assignment))
		if list[c.want].kind != assigned {
			t.Errorf("%s: %v", name, list)
		}
		if last := list[len(list)-1]; len(last.commits) != 1 {
			t.Errorf("%s: what was seen is told elsewhere: %v", name, list)
		}
	}
}
