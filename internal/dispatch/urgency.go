package dispatch

import (
	"cmp"
	"container/heap"
	"time"

	"github.com/algotrade/notifier/internal/alert"
)

// readyLanes is the lanes of one partition that are ready, the most urgent first:
// live alerts before replays, critical ones before all others, the first of a group
// before digests, then by severity, then the oldest event first.
type readyLanes struct{ laneList }

// Less implements heap.Interface.
func (h *readyLanes) Less(i, j int) bool { return byUrgency(h.laneList[i], h.laneList[j]) < 0 }

// byUrgency compares ready lanes. A lane is as urgent as the most severe of its
// deliveries, since that one waits for those before it.
func byUrgency(a, b *lane) int {
	first, second := a.queue[0].envelope, b.queue[0].envelope
	return cmp.Or(
		cmp.Compare(replays(a), replays(b)), cmp.Compare(urgent(b), urgent(a)), cmp.Compare(told(a), told(b)), cmp.Compare(b.severity, a.severity),
		first.Alert.EventTime.Compare(second.Alert.EventTime), cmp.Compare(a.number, b.number))
}

// oldest returns the time of the oldest event that waits, or the present.
func (q *lanes) oldest() time.Time {
	oldest := q.now()
	for _, l := range q.byKey {
		for _, d := range l.queue {
			for x := range d.all {
				oldest = earlier(oldest, x.envelope.Alert.EventTime)
			}
		}
	}
	return oldest
}

func replays(l *lane) int {
	if l.queue[0].envelope.Replay != nil {
		return 1
	}
	return 0
}

// urgent is 1 for a lane with a critical alert.
func urgent(l *lane) int {
	if l.severity >= alert.Critical.Rank() {
		return 1
	}
	return 0
}

// told is 1 for a lane of whose group something was told.
func told(l *lane) int {
	if l.group != nil && !l.group.First() {
		return 1
	}
	return 0
}

// weigh determines the severity again.
func (l *lane) weigh() {
	l.severity = 0
	for i, d := range l.queue {
		l.severity = max(l.severity, d.envelope.Alert.Severity.Rank())
		if i == 0 {
			for _, m := range d.members {
				l.severity = max(l.severity, m.envelope.Alert.Severity.Rank())
			}
		}
	}
}

// urge notes a delivery that has come behind the others of its lane, and reports whether
// the lane is more urgent by that.
func (l *lane) urge(d *delivery) bool {
	s := d.envelope.Alert.Severity.Rank()
	if s <= l.severity {
		return false
	}
	l.severity = s
	if l.state == ready {
		heap.Fix(&l.source.ready, l.index)
	}
	return true
}

// calm notes that a delivery has left its lane.
func (l *lane) calm(d *delivery) {
	if len(d.members) == 0 && d.envelope.Alert.Severity.Rank() < l.severity {
		return
	}
	most := 0
	for _, d := range l.queue {
		if most = max(most, d.envelope.Alert.Severity.Rank()); most == l.severity {
			return
		}
	}
	l.severity = most
}

// mostUrgent returns the lane of a partition that is to be tried first; nil: none may
// be. Where a commit cannot list another gap it is the one with the oldest delivery,
// which closes gaps.
func (q *lanes) mostUrgent(s *source) *lane {
	if s.ready.Len() == 0 || s.saturated(q.uncommitted) {
		return nil
	}
	if first := s.ready.laneList[0]; q.mayFollow(first) {
		return first
	}
	var oldest *lane
	for _, l := range s.ready.laneList {
		if (oldest == nil || l.queue[0].at.Offset < oldest.queue[0].at.Offset) && q.mayFollow(l) {
			oldest = l
		}
	}
	return oldest
}

// pick chooses the lane to try next: the most urgent of all partitions. It stays
// where it is until take.
func (q *lanes) pick() (best *lane) {
	for _, s := range q.sources {
		if l := q.mostUrgent(s); l != nil && (best == nil || byUrgency(l, best) < 0) {
			best = l
		}
	}
	return best
}
