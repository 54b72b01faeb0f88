package lag

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
)

// Mark says how much of a person's attention a lag deserves.
type Mark int

// The marks, from the least to the most.
const (
	Fine Mark = iota
	// Late: the oldest has waited for LateAfter, or not all is known.
	Late
	// Bad: the oldest has waited for BadAfter, nobody reads what waits, or it was
	// deleted unread or soon is.
	Bad
)

// How long the oldest waits until that is marked.
const (
	LateAfter = time.Minute
	BadAfter  = 10 * time.Minute
)

// Row is what waits for a group in one topic, put for people. A group that has
// no topics, or of which nothing is known, is one row without a topic.
type Row struct {
	Group *Group
	Topic *GroupTopic // nil: the group has none
	Total
	Mark  Mark
	Notes []string // what the numbers do not say
}

// Rows returns a row for each topic of each group that exists, the worst first:
// by mark, by age, by number. Those that are fine keep the order of the groups,
// and so their places from one look to the next.
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
		if a.Mark == Fine && b.Mark == Fine {
			return 0
		}
		return cmp.Or(-cmp.Compare(a.Mark, b.Mark), compareOldest(a.Oldest, b.Oldest), -cmp.Compare(a.Waiting, b.Waiting))
	})
	return rows
}

// PartitionRow is what waits for a group in one partition.
type PartitionRow struct {
	*Row
	*Partition
	Mark Mark
}

// ByPartition returns a row for each partition, the worst first. One where
// nothing waits is not marked for what waits beside it.
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
		if a.Mark == Fine && b.Mark == Fine {
			return 0
		}
		return cmp.Or(-cmp.Compare(a.Mark, b.Mark), compareOldest(p.Oldest, q.Oldest), -cmp.Compare(p.Waiting, q.Waiting))
	})
	return all
}

// compareOldest has the earlier first, and what is not there last.
func compareOldest(a, b time.Time) int {
	switch {
	case a.IsZero() || b.IsZero():
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
		note(Bad, "nobody is in the group")
	}
	if r.Lost > 0 {
		note(Bad, "%s", counted(r.Lost, "record was deleted before it was read", "records were deleted before they were read"))
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
		note(Bad, "nobody in the group has %s of it", counted(unowned, "partition", "partitions"))
	}
	if uncommitted > 0 {
		note(Fine, "nothing is committed for %s: all in the log counts", counted(uncommitted, "partition", "partitions"))
	}
	if hidden > 0 {
		note(Fine, "%s behind an open transaction", counted(hidden, "more stands", "more stand"))
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
		note(Bad, "the oldest is kept until %s", r.KeptUntil.Local().Format("2 Jan 15:04"))
	}
}

// counted is a number with what there is of it.
func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(n) + " " + many
}
