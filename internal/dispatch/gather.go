package dispatch

import (
	"container/heap"
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/digest"
)

// On a channel with digests a lane is a group. Its first delivery is sent at once.
// Those that follow within the group's window gather in the lane, which waits for the
// window's end; then one message speaks for all of them: the first of them is the
// delivery that is tried, and the others are its members. All attempts have its id. A
// message that may have arrived gets no further members.
//
// Where many groups wait that are not critical, one message speaks for all of them.
// The lanes of the others are tied to its lane until it has its outcome, so that
// nothing of a group is sent before what came earlier has its outcome.

// gatherer knows what a channel has told of its groups.
type gatherer struct {
	config digest.Config
	groups digest.Groups
}

// newGatherer returns nil for a channel without digests.
func newGatherer(s digest.Setting) *gatherer {
	if !s.On {
		return nil
	}
	return &gatherer{config: s.Over(digest.Defaults())}
}

// UseDigest applies the digest of a rules file, in place of the default or the former
// one, to the windows that open from now on. A channel's own values have precedence.
func (o *Dispatcher) UseDigest(c digest.Config) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lanes.gather != nil {
		o.lanes.gather.config = o.p.Config.Digest.Over(c)
	}
}

// gathers reports whether a delivery may be told together with others of its group.
func (g *gatherer) gathers(d *delivery) bool {
	return g != nil && d.envelope.Replay == nil && !d.envelope.Notice()
}

// join sets the group of a new lane.
func (g *gatherer) join(l *lane, d *delivery, now time.Time) {
	if g.gathers(d) {
		l.groupKey = digest.Key(d.laneKey)
		l.group = g.groups.Open(l.groupKey, now)
	}
}

// gatherEnd returns until when a lane gathers; zero: it does not. Where much of the
// partition's window is used it does not: others would not be read.
func (q *lanes) gatherEnd(l *lane) time.Time {
	if l.group == nil {
		return time.Time{}
	}
	d, end := l.queue[0], l.group.Due(l.severity)
	if d.tries > 0 || len(d.members) > 0 || d.written() || !end.After(q.now()) || l.source.crowded() {
		return time.Time{}
	}
	return end
}

func (l *lane) gathering() bool { return l.state == waiting && l.wait == windowEnd }

// crowded reports whether what waits by choice is not to wait any longer.
func (s *source) crowded() bool {
	if s.feed != nil {
		return s.feed.crowded()
	}
	return s.partition != nil && s.partition.Crowded()
}

// joined looks at a lane that a delivery came to. It reports whether something may be
// sent now that could not be before.
func (q *lanes) joined(l *lane) bool {
	if l.host != nil && l.severity == alert.Critical.Rank() && l.host.state != flying {
		q.dissolve(l.host)
		return true
	}
	if l.state == waiting && l.wait == stateEnd && l.queue[len(l.queue)-1].envelope.Alert.State == alert.Firing {
		q.backoffs.remove(l) // what waits may have to let it pass
		q.enqueue(l)
		return true
	}
	if !l.gathering() {
		return false
	}
	switch end := q.gatherEnd(l); {
	case !end.IsZero() && !end.Before(l.due):
		return false
	case !end.IsZero(): // it is critical
		q.backoffs.remove(l)
		q.backoffs.wait(l, end, windowEnd)
	default: // it is more severe than what was told, or there is no room
		q.backoffs.remove(l)
		q.enqueue(l)
	}
	return true
}

// makeRoom ends the windows of a partition where what is gathered could keep other
// deliveries from being read or begun.
func (q *lanes) makeRoom() {
	if q.gather == nil {
		return
	}
	for _, s := range q.sources {
		inWay := func(l *lane) bool { return l.gathering() && l.source == s }
		if !slices.ContainsFunc(q.backoffs.laneList, inWay) || !s.crowded() {
			continue
		}
		for _, l := range q.backoffs.sorted() {
			if inWay(l) {
				q.backoffs.remove(l)
				q.enqueue(l)
			}
		}
	}
}

// gather makes the lane's next message speak for what waits: of its group, and of the
// other groups where those are many. A channel, or a suspended rule, is probed with one
// alert.
func (t turn) gather(now time.Time) {
	o, l, d := t.o, t.l, t.d
	if l.group == nil || l.state == aside || o.onlyProbed() || !d.open() {
		return
	}
	if most := o.lanes.gather.config.CollapseOver; l.severity == alert.Critical.Rank() {
		if len(d.tied) > 0 { // it came since
			o.lanes.dissolve(l)
		}
	} else {
		o.dropUnneeded(l.source, most, now)
		if others := o.lanes.collapsible(l.source, most); len(others) > most {
			for _, other := range others {
				if other != l {
					o.lanes.dissolve(other)
					o.lanes.unlist(other)
					other.state, other.host = flying, l
					d.tied = append(d.tied, other)
				}
			}
		}
	}
	t.absorb(l, 1, now)
	for _, tied := range d.tied {
		t.absorb(tied, 0, now)
	}
	l.weigh()
	if l.state == ready {
		heap.Fix(&l.source.ready, l.index)
	}
}

// absorb makes the deliveries of a lane, from an index on, members of the turn's. What
// policy keeps from being sent is settled.
func (t turn) absorb(from *lane, index int, now time.Time) {
	o := t.o
	n := index
	for ; n < len(from.queue); n++ {
		m := from.queue[n]
		if !m.open() || len(m.members) > 0 || o.lanes.moves.to(from.source, m) != "" || from != t.l && m.envelope.Alert.Severity == alert.Critical {
			break
		}
		x := turn{o, from, m}
		if x.unrecalled() || m.opposesOne(t.d.all) {
			break
		}
		how, why := x.policy(now)
		if how == "" && m.resolvesSame(t.d.all) {
			how = unneeded
			o.metrics.suppressed(unneeded)
		}
		if how != "" {
			x.drop(how, why)
			continue
		}
		m.from = from
		t.d.members = append(t.d.members, m)
	}
	from.queue = slices.Delete(from.queue, index, n)
	from.weigh()
}

// open reports whether a delivery may become a member, or get members: no attempt of
// this owner's may have reached anyone.
func (d *delivery) open() bool {
	return d.envelope.Replay == nil && (d.tries == 0 || !d.mayBeDuplicate) && d.sent.IsZero() && d.recipients == nil && !d.written()
}

// drop ends a delivery that is in no lane any longer.
func (t turn) drop(how, why string) {
	t.endKept(how, why, func() { t.o.lanes.pending-- })
}

// arrive settles a delivery that has come to a lane that gathers and that policy keeps
// from being sent.
func (t turn) arrive(now time.Time) {
	l := t.l
	last := len(l.queue) - 1
	if !l.gathering() || l.queue[last] != t.d || t.unrecalled() || t.d.opposesOne(slices.Values(l.queue[:last])) {
		return
	}
	how, why := t.policy(now)
	if how == "" {
		return
	}
	l.queue = slices.Delete(l.queue, last, last+1)
	l.weigh()
	if len(l.queue) == 0 {
		t.o.lanes.unlist(l)
		t.o.lanes.drop(l)
	}
	t.drop(how, why)
}
