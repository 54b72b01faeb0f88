package dispatch

import (
	"container/heap"
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/alert"
)

// collapsible returns the lanes of a partition that wait for the channel and may be
// told in one message, if they are more than so many.
func (q *lanes) collapsible(s *source, most int) []*lane {
	if s.ready.Len() <= most {
		return nil
	}
	var all []*lane
	for _, l := range s.ready.laneList {
		d := l.queue[0]
		if l.group != nil && !l.key.aside && l.severity < alert.Critical.Rank() && len(d.tied) == 0 && !q.follows(l) && d.open() && q.moves.to(s, d) == "" {
			all = append(all, l)
		}
	}
	slices.SortFunc(all, byUrgency)
	return all
}

// dropUnneeded settles the resolved alerts that end nothing, where more than so many lanes
// of a partition are ready: they would count as groups that wait.
func (o *Dispatcher) dropUnneeded(s *source, most int, now time.Time) {
	if s.ready.Len() <= most {
		return
	}
	for _, l := range slices.Clone(s.ready.laneList) {
		for l.state == ready && l.group != nil && o.lanes.mayFollow(l) {
			t := turn{o, l, l.queue[0]}
			if t.d.envelope.Alert.State != alert.Resolved || len(t.d.members) > 0 || t.unrecalled() || !t.suppress(now) {
				break
			}
		}
	}
}

// told returns of how many groups the delivery and its members are.
func (d *delivery) told() int {
	n := 1
	for _, l := range d.tied {
		if slices.ContainsFunc(d.members, func(m *delivery) bool { return m.from == l }) {
			n++
		}
	}
	return n
}

// dissolve returns the members of a message that is not under way to their lanes.
func (q *lanes) dissolve(l *lane) {
	d := l.queue[0]
	if len(d.members)+len(d.tied) == 0 || d.written() {
		return
	}
	own := []*delivery{d}
	others := make(map[*lane][]*delivery)
	for _, m := range d.members {
		m.mayBeDuplicate = m.mayBeDuplicate || d.mayBeDuplicate
		m.recipients, m.delivered, m.refused, m.sent = d.recipients, slices.Clone(d.delivered), slices.Clone(d.refused), d.sent
		if m.from.host == l {
			others[m.from] = append(others[m.from], m)
		} else {
			own = append(own, m)
		}
	}
	l.queue = append(own, l.queue[1:]...)
	d.members, d.claiming, d.brief = nil, false, false
	for _, tied := range d.tied {
		tied.queue = append(others[tied], tied.queue...)
		tied.weigh()
	}
	q.untie(d)
	l.weigh()
	if l.state == ready && l.index >= 0 {
		heap.Fix(&l.source.ready, l.index)
	}
}

// letCriticalPass dissolves a message of several groups that failed, where a critical
// alert of one of them waits for it.
func (q *lanes) letCriticalPass(l *lane) {
	if l.state == flying || l.source.dropped || len(l.queue) == 0 {
		return
	}
	for _, tied := range l.queue[0].tied {
		if tied.severity == alert.Critical.Rank() {
			q.dissolve(l)
			return
		}
	}
}

// untie continues with the lanes that waited for a message of several groups.
func (q *lanes) untie(d *delivery) {
	for _, l := range d.tied {
		l.host, l.state, l.backoff = nil, idle, nil
		if len(l.queue) == 0 {
			q.drop(l)
		} else {
			q.enqueue(l)
		}
	}
	d.tied = nil
}
