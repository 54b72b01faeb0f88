package lag

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/plural"
)

// Mark is the severity of a lag.
type Mark int

// The marks.
const (
	Fine Mark = iota
	Late      // the oldest has waited for LateAfter, or some lag is unknown
	Bad       // the oldest has waited for BadAfter, has no reader, or was or will soon be deleted
)

// Thresholds of the age of the oldest record.
const (
	LateAfter = time.Minute
	BadAfter  = 10 * time.Minute
)

// Row is the lag of a group in one topic, for display. A group without topics or with an
// error is one row without a topic.
type Row struct {
	Group *Group
	Topic *GroupTopic // nil: the group has none
	Total
	Mark  Mark
	Notes []string
}

// Rows returns a row for each topic of each existing group, by mark, age and number.
// Rows without a mark keep the order of the groups.
func (s *Snapshot) Rows() []Row {
	var rows []Row
	for i := range s.Groups {
		g := &s.Groups[i]
		switch {
		case g.Err != nil:
			rows = append(rows, Row{Group: g, Mark: Bad, Total: Total{Unknown: g.Err}, Notes: []string{g.Err.Error()}})
		case g.State == Dead:
		case len(g.Topics) == 0:
			rows = append(rows, Row{Group: g})
		}
		if g.Err != nil || g.State == Dead {
			continue
		}
		for j := range g.Topics {
			rows = append(rows, rowOf(g, &g.Topics[j], s.At))
		}
	}
	slices.SortStableFunc(rows, func(a, b Row) int {
		return worseFirst(a.Mark, b.Mark, a.Oldest, b.Oldest, a.Waiting, b.Waiting)
	})
	return rows
}

// worseFirst orders by mark, age and number; rows without a mark are equal.
func worseFirst(a, b Mark, oldestA, oldestB time.Time, waitingA, waitingB int64) int {
	if a == Fine && b == Fine {
		return 0
	}
	return cmp.Or(cmp.Compare(b, a), compareOldest(oldestA, oldestB), cmp.Compare(waitingB, waitingA))
}

// PartitionRow is the lag of a group in one partition.
type PartitionRow struct {
	*Row
	*Partition
	Mark Mark
}

// ByPartition returns a row for each partition, in the order of Rows. Only partitions with
// lag have the mark of their row.
func ByPartition(rows []Row) (all []PartitionRow) {
	for i := range rows {
		if rows[i].Topic == nil {
			continue
		}
		for j := range rows[i].Topic.Partitions {
			r := PartitionRow{Row: &rows[i], Partition: &rows[i].Topic.Partitions[j]}
			switch {
			case r.Err != nil:
				r.Mark = Late
			case r.Partition.Waiting > 0:
				r.Mark = rows[i].Mark
			}
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, func(a, b PartitionRow) int {
		p, q := a.Partition, b.Partition
		return worseFirst(a.Mark, b.Mark, p.Oldest, q.Oldest, p.Waiting, q.Waiting)
	})
	return all
}

// compareOldest orders by time, zero last.
func compareOldest(a, b time.Time) int {
	if a.IsZero() || b.IsZero() {
		return cmp.Compare(b.Unix(), a.Unix())
	}
	return a.Compare(b)
}

func rowOf(g *Group, t *GroupTopic, now time.Time) Row {
	r := Row{Group: g, Topic: t, Total: t.Total()}
	note := func(m Mark, format string, args ...any) {
		r.Mark = max(r.Mark, m)
		if format != "" {
			r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
		}
	}
	if r.Unknown != nil {
		note(Late, "%s", r.Unknown)
	}
	if r.Waiting > 0 && g.Members == 0 && g.State != "" {
		note(Bad, "the group has no members")
	}
	if r.Lost > 0 {
		note(Bad, "%s", plural.Verb(r.Lost, "record was deleted before it was read", "records were deleted before they were read"))
	}
	var unowned, uncommitted, hidden int64
	for i := range t.Partitions {
		p := &t.Partitions[i]
		switch {
		case p.Err != nil:
			continue
		case p.Waiting > 0 && p.Unowned():
			unowned++
		}
		if p.Waiting > 0 && p.Committed < 0 {
			uncommitted++
		}
		hidden += max(p.HighWatermark-p.End, 0)
	}
	if unowned > 0 && g.Members > 0 {
		note(Bad, "%s not assigned", plural.Verb(unowned, "partition is", "partitions are"))
	}
	if uncommitted > 0 {
		note(Fine, "no commit for %s: the whole log counts", plural.Count(uncommitted, "partition"))
	}
	if hidden > 0 {
		note(Fine, "%s behind an open transaction", plural.Verb(hidden, "more", "more"))
	}
	r.markAge(now, note)
	return r
}

func (r *Row) markAge(now time.Time, note func(Mark, string, ...any)) {
	if r.Oldest.IsZero() {
		return
	}
	switch age := now.Sub(r.Oldest); {
	case age >= BadAfter:
		note(Bad, "")
	case age >= LateAfter:
		note(Late, "")
	}
	if r.KeptUntil.IsZero() {
		return
	}
	left := r.KeptUntil.Sub(now)
	switch level := urgency(left, r.KeptUntil.Sub(r.Oldest)); {
	case left <= 0:
		note(Bad, "the oldest may be deleted at any time")
	case level >= slog.LevelWarn:
		note(Bad, "the oldest is kept until %s", r.KeptUntil.Local().Format("2 Jan 15:04 MST"))
	}
}
