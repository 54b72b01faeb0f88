package lag

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestRowMarksAndNotes: one group and topic each, with the mark and the words
// that it gets.
func TestRowMarksAndNotes(t *testing.T) {
	now := time.Date(2026, 11, 26, 9, 30, 0, 0, time.Local)
	waits := func(age time.Duration) Partition {
		return Partition{ClientID: "c", Committed: 1, Part: Part{End: 3, Waiting: 2}, HighWatermark: 3, Oldest: now.Add(-age)}
	}
	with := func(age time.Duration, change func(*Partition)) Partition {
		p := waits(age)
		change(&p)
		return p
	}
	for _, c := range []struct {
		what    string
		members int
		part    Partition
		err     error // of the topic
		mark    Mark
		note    string
	}{
		{"nothing waits", 1, Partition{ClientID: "c", Committed: 3}, nil, Fine, ""},
		{"nothing waits for nobody", 0, Partition{Committed: 3}, nil, Fine, ""},
		{"for less than a minute", 1, waits(LateAfter - 1), nil, Fine, ""},
		{"for a minute", 1, waits(LateAfter), nil, Late, ""},
		{"for ten", 1, waits(BadAfter), nil, Bad, ""},
		{"nobody is there", 0, with(time.Second, func(p *Partition) { p.ClientID = "" }), nil, Bad, "the group has no members"},
		{"nobody has it", 1, with(time.Second, func(p *Partition) { p.ClientID = "" }), nil, Bad, "1 partition is not assigned"},
		{"deleted unread", 1, with(time.Second, func(p *Partition) { p.Lost = 1200 }), nil, Bad, "1,200 records were deleted before they were read"},
		{"one of them", 1, with(time.Second, func(p *Partition) { p.Lost = 1 }), nil, Bad, "1 record was deleted before it was read"},
		{"no commit", 1, with(time.Second, func(p *Partition) { p.Committed = -1 }), nil, Fine, "no commit for 1 partition: the whole log counts"},
		{"a transaction", 1, with(time.Second, func(p *Partition) { p.HighWatermark = 10 }), nil, Fine, "7 more behind an open transaction"},
		{"kept for long", 1, with(time.Second, func(p *Partition) { p.KeptUntil = now.Add(24 * 7 * time.Hour) }), nil, Fine, ""},
		{"kept for 5 h of 7 d", 1, with(163*time.Hour, func(p *Partition) { p.KeptUntil = now.Add(5 * time.Hour) }), nil, Bad, "the oldest is kept until 26 Nov 14:30 " + now.Format("MST")},
		{"no longer kept", 1, with(time.Second, func(p *Partition) { p.KeptUntil = now.Add(-time.Second) }), nil, Bad, "the oldest may be deleted at any time"},
		{"not readable", 1, with(0, func(p *Partition) { p.Oldest, p.Unread = time.Time{}, errors.New("not authorised") }), nil, Late, "not authorised"},
		{"gone", 1, Partition{}, ErrNoTopic, Late, "the topic was deleted"},
	} {
		topic := GroupTopic{Name: "t", Err: c.err}
		if c.err == nil {
			topic.Partitions = []Partition{c.part}
		}
		s := &Snapshot{At: now, Groups: []Group{{Name: "g", State: "Stable", Members: c.members, Topics: []GroupTopic{topic}}}}
		rows := s.Rows()
		if len(rows) != 1 || rows[0].Mark != c.mark || strings.Join(rows[0].Notes, "; ") != c.note {
			t.Errorf("%s: it is marked %d and says %q, want %d and %q", c.what, rows[0].Mark, rows[0].Notes, c.mark, c.note)
		}
	}
}

func TestRowsAreSortedWorstFirst(t *testing.T) {
	now := time.Now()
	group := func(name string, members int, waiting int64, age time.Duration) Group {
		p := Partition{ClientID: "c", Part: Part{Waiting: waiting, End: waiting}, HighWatermark: waiting}
		if waiting > 0 {
			p.Oldest = now.Add(-age)
		}
		return Group{Name: name, State: "Stable", Members: members, Topics: []GroupTopic{{Name: "t", Partitions: []Partition{p}}}}
	}
	s := &Snapshot{At: now, Groups: []Group{
		group("idle", 1, 0, 0), group("few and old", 1, 1, 59*time.Second), group("many and new", 1, 1000, time.Second), group("more", 1, 1001, time.Second),
		group("left", 0, 1, time.Second),
		{Name: "dead", State: Dead},
		{Name: "forbidden", Err: errors.New("no")},
		group("hours", 1, 1, time.Hour),
		{Name: "no topics", State: "Stable"},
	}}
	var got []string
	for _, r := range s.Rows() {
		got = append(got, r.Group.Name)
	}
	if want := "[hours left forbidden idle few and old many and new more no topics]"; fmt.Sprint(got) != want {
		t.Errorf("the order is %v, want %s", got, want)
	}
	parts := []Partition{{ID: 0}, {ID: 1, Part: Part{Waiting: 1}, Oldest: now.Add(-time.Second)}, {ID: 2, Part: Part{Waiting: 9}, Oldest: now.Add(-time.Minute)}, {ID: 3, Err: errors.New("no leader")}}
	s = &Snapshot{At: now, Groups: []Group{{Name: "g", State: "Empty", Topics: []GroupTopic{{Name: "t", Partitions: parts}}}}}
	got = nil
	for _, r := range ByPartition(s.Rows()) {
		got = append(got, fmt.Sprintf("%d:%d", r.Partition.ID, r.Mark))
	}
	if want := "[2:2 1:2 3:1 0:0]"; fmt.Sprint(got) != want {
		t.Errorf("the order of partitions is %v, want %s", got, want)
	}
}
