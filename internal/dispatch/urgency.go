package dispatch

import (
	"cmp"
	"container/heap"
)

// readyLanes is the lanes of one partition that are ready, the most urgent first:
// live alerts before replays, then by severity, then the oldest event first.
type readyLanes struct{ laneList }

// Less implements heap.Interface.
func (h *readyLanes) Less(i, j int) bool { return byUrgency(h.laneList[i], h.laneList[j]) < 0 }

// byUrgency compares ready lanes. A lane is as urgent as the most severe of its
// deliveries, since that one waits for those before it.
func byUrgency(a, b *lane) int {
	first, second := a.queue[0].envelope, b.queue[0].envelope
	return cmp.Or(
		cmp.Compare(replays(a), replays(b)), cmp.Compare(b.severity, a.severity),
		first.Alert.EventTime.Compare(second.Alert.EventTime), cmp.Compare(a.number, b.number))
}

func replays(l *lane) int {
	if l.queue[0].envelope.Replay != nil {
		return 1
	}
	return 0
}

// urge notes a delivery that has come behind the others of its lane.
func (l *lane) urge(d *delivery) {
	if s := d.envelope.Alert.Severity.Rank(); s > l.severity {
		l.severity = s
		if l.state == ready {
			heap.Fix(&l.source.ready, l.index)
		}
	}
}

// calm notes that a delivery has left its lane.
func (l *lane) calm(d *delivery) {
	if d.envelope.Alert.Severity.Rank() < l.severity {
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
