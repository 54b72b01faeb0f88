package dispatch

import (
	"cmp"
	"time"

	"github.com/algotrade/notifier/internal/alert"
)

// pickProbe chooses the lane tried longest ago, whether it waits for its backoff
// or not, unless its last attempt may have succeeded or the provider asked it to
// wait. In a channel that has been suspended since then (zero: it is not) the
// critical alerts that have not been tried since come first: of rules of which
// nothing was refused, then of the others, the newest first.
func (q *lanes) pickProbe(since time.Time) *lane {
	var best *lane
	for _, l := range q.byKey {
		if l.state != ready && (l.state != waiting || l.wait != backoffEnd) || l.queue[0].written() || best != nil && q.byProbe(l, best, since) > 0 {
			continue
		}
		if q.mayStart(l) {
			best = l
		}
	}
	return best
}

func (q *lanes) byProbe(a, b *lane, since time.Time) int {
	first, second := q.rank(a, since), q.rank(b, since)
	if first != second || first == last {
		return cmp.Or(cmp.Compare(first, second), byTried(a, b))
	}
	return cmp.Or(b.queue[0].envelope.Alert.EventTime.Compare(a.queue[0].envelope.Alert.EventTime), cmp.Compare(a.number, b.number))
}

// last is the rank of the lanes that are tried in turn.
const last = 2

// rank is where a lane comes among those that a suspended channel is tried with.
func (q *lanes) rank(l *lane, since time.Time) int {
	a := l.queue[0].envelope.Alert
	switch r := q.rules.byName[a.Rule]; {
	case since.IsZero() || a.Severity != alert.Critical || !l.tried.Before(since):
		return last
	case r == nil || r.recent == 0:
		return 0
	}
	return 1
}

func byTried(a, b *lane) int {
	return cmp.Or(a.tried.Compare(b.tried), cmp.Compare(a.number, b.number))
}

// pickSuspended returns the lane with which a suspended rule is to be tried by
// now: of the rule that is due longest, the lane tried longest ago.
func (q *lanes) pickSuspended(now time.Time) *lane {
	if q.asides == 0 {
		return nil
	}
	for _, r := range q.rules.due(now) {
		var best *lane
		for _, l := range q.byKey {
			if l.state == aside && l.key.rule == r.rule && (best == nil || byTried(l, best) < 0) && q.mayStart(l) {
				best = l
			}
		}
		if best != nil {
			return best
		}
	}
	return nil
}

// weigh adds deliveries to those that wait for a probe of their rule, or with -1 takes
// them out.
func (s *source) weigh(sign int, list ...*delivery) {
	for _, d := range list {
		s.asideRecords += sign
		if d.entry != nil {
			s.asideBytes += sign * d.entry.Size()
		}
	}
}

// crowding returns the lane with the oldest delivery of a suspended rule, where
// so many of a partition wait that the others' would soon not be read or not be
// begun; nil: none does.
func (q *lanes) crowding(s *source) *lane {
	if s.partition == nil || s.ending > 0 || s.asideRecords == 0 || !s.partition.Crowds(s.asideRecords, s.asideBytes) {
		return nil
	}
	var oldest *lane
	for _, l := range q.byKey {
		if l.source == s && l.state == aside && q.moves.to(s, l.queue[0]) == "" && (oldest == nil || l.queue[0].at.Offset < oldest.queue[0].at.Offset) {
			oldest = l
		}
	}
	return oldest
}
