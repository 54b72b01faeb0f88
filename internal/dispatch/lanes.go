package dispatch

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/digest"
)

// lanes are the deliveries of one channel that are not settled, in the order in
// which they may be sent. The dispatcher's mutex guards them.
type lanes struct {
	now         func() time.Time
	uncommitted int       // settled and uncommitted deliveries of a partition beyond which none is begun
	singleOwner bool      // see layout.go
	sources     []*source // assigned partitions
	byKey       map[laneKey]*lane
	made        uint64 // lanes, ever
	backoffs    laneHeap
	pending     int     // deliveries
	asides      int     // lanes that have stepped aside
	decided     []*lane // whose first delivery's end is to be written to the dead letters
	rules       suspensions
	moves       moves
	gather      *gatherer // nil: no digests
}

// add takes in one delivery; it returns its lane, and whether something may be sent
// now that could not be before.
func (q *lanes) add(s *source, d *delivery) (*lane, bool) {
	q.pending++
	if q.gather.gathers(d) {
		key := digest.KeyOf(d.envelope.Alert)
		d.laneKey = key[:]
	}
	key := laneKey{source: s, key: string(d.laneKey)}
	if d.laneKey == nil { // null: a lane of its own
		key.key, key.own = "", d
	}
	l := q.byKey[key]
	if l == nil {
		l = q.newLane(key)
		q.gather.join(l, d, q.now())
	}
	l.queue = append(l.queue, d)
	rose := l.urge(d)
	if l.state != idle {
		return l, q.joined(l) || rose && l.state == ready
	}
	q.enqueue(l)
	return l, true
}

// leave drops a partition that was revoked, with its deliveries that are not in
// flight.
func (q *lanes) leave(s *source) {
	s.dropped = true
	q.sources = slices.DeleteFunc(q.sources, func(other *source) bool { return other == s })
	for key, l := range q.byKey {
		if l.source != s {
			continue
		}
		if l.state == waiting {
			q.backoffs.remove(l)
		}
		for _, d := range l.queue {
			q.pending -= 1 + len(d.members)
		}
		delete(q.byKey, key)
		if key.aside {
			q.asides--
		}
		if l.state == aside {
			q.rules.byName[key.rule].waiting--
		}
		if l.state != flying { // what is in flight ends by itself
			l.queue[0].end(abandoned)
		}
	}
	if len(q.sources) == 0 {
		q.rules.forget()
		if q.gather != nil {
			q.gather.groups.Forget()
		}
	}
	s.ready = readyLanes{}
}

func (q *lanes) newLane(key laneKey) *lane {
	q.made++
	l := &lane{key: key, source: key.source, number: q.made, index: -1}
	q.byKey[key] = l
	return l
}

// drop ends a lane that is empty.
func (q *lanes) drop(l *lane) {
	delete(q.byKey, l.key)
	l.state = idle
	if l.key.aside {
		q.asides--
	}
}

// enqueue has a lane wait for its turn at the channel. Deliveries of suspended
// rules step aside before, and those of the same rule and key that come behind
// them: the order within a rule and a key stays, and the other rules' deliveries
// do not wait.
func (q *lanes) enqueue(l *lane) {
	for !l.key.aside && q.stepsAside(l) {
		q.dissolve(l)
		q.putAside(l, l.pop())
		l.backoff, l.tried = nil, time.Time{}
		if len(l.queue) == 0 {
			q.drop(l)
			return
		}
	}
	if r := q.rules.byName[l.key.rule]; l.key.aside && r.suspended() {
		q.dissolve(l)
		l.state = aside
		r.waiting++
		l.source.weigh(1, l.queue...)
		return
	}
	if end := q.gatherEnd(l); !end.IsZero() {
		q.backoffs.wait(l, end, windowEnd)
		return
	}
	l.source.push(l)
}

func (q *lanes) stepsAside(l *lane) bool { return q.setsAside(l, l.queue[0]) }

// setsAside reports whether a delivery of a lane steps aside once it is the first.
func (q *lanes) setsAside(l *lane, d *delivery) bool {
	if len(q.rules.byName) == 0 && q.asides == 0 {
		return false
	}
	rule := d.rule()
	return q.rules.byName[rule].suspended() || q.asides > 0 && q.byKey[l.key.besides(rule)] != nil
}

func (q *lanes) putAside(from *lane, d *delivery) {
	key := from.key.besides(d.rule())
	if l := q.byKey[key]; l != nil {
		if l.state == aside {
			l.source.weigh(1, d)
		}
		l.queue = append(l.queue, d)
		l.urge(d)
		return
	}
	l := q.newLane(key)
	l.group, l.groupKey = from.group, from.groupKey
	q.asides++
	l.queue, l.tried = append(l.queue, d), from.tried
	l.urge(d)
	q.enqueue(l)
}

// ready makes a lane available: to the channel, or to the dead letters.
func (q *lanes) ready(l *lane) {
	if l.queue[0].written() {
		l.state = flying
		q.decided = append(q.decided, l)
		return
	}
	q.enqueue(l)
}

// take removes a lane from wherever it waits: its first delivery is in flight.
func (q *lanes) take(l *lane) {
	q.unlist(l)
	l.state = flying
	l.source.inFlight++
}

// unlist takes a lane out of the ready lanes, or of the waiting ones.
func (q *lanes) unlist(l *lane) {
	switch l.state {
	case waiting:
		q.backoffs.remove(l)
	case ready:
		heap.Remove(&l.source.ready, l.index)
	case aside:
		q.rules.byName[l.key.rule].waiting--
		l.source.weigh(-1, l.queue...)
		l.state = idle
	}
}

// advance continues with a lane's next delivery: its first one has its outcome.
func (q *lanes) advance(l *lane) {
	q.unlist(l)
	d := q.proceed(l)
	q.pending -= 1 + len(d.members)
}

// proceed removes a lane's first delivery, continues with the next, and returns
// the first.
func (q *lanes) proceed(l *lane) *delivery {
	d := l.pop()
	l.backoff = nil
	if !l.key.aside { // the keys of a suspended rule are tried in turn
		l.tried = time.Time{}
	}
	if len(l.queue) == 0 {
		q.drop(l)
	} else {
		q.enqueue(l)
	}
	q.untie(d)
	return d
}

// setApart moves a lane's first delivery, which some recipients have, to the lane
// of its key in which deliveries wait for the others, and returns that lane.
func (q *lanes) setApart(l *lane) *lane {
	if l.key.own != nil || l.key.deferred {
		return l
	}
	key := laneKey{source: l.source, key: l.key.key, deferred: true}
	apart := q.byKey[key]
	if apart == nil {
		apart = q.newLane(key)
	}
	d := q.proceed(l)
	apart.queue = append(apart.queue, d)
	apart.urge(d)
	return apart
}

// hurry cuts the lanes' backoffs short, but for what the provider asked for.
func (q *lanes) hurry() {
	for _, l := range q.backoffs.sorted() {
		if l.wait != toldEnd && l.wait != windowEnd && !l.queue[0].written() {
			q.backoffs.remove(l)
			q.enqueue(l)
		}
	}
}

// matching returns the lanes that match, in the order in which they were made.
func (q *lanes) matching(match func(*lane) bool) []*lane {
	var list []*lane
	for _, l := range q.byKey {
		if match(l) {
			list = append(list, l)
		}
	}
	slices.SortFunc(list, func(a, b *lane) int { return cmp.Compare(a.number, b.number) })
	return list
}

// suspend has the deliveries of a rule step aside.
func (q *lanes) suspend(r *refusals) {
	for _, l := range q.matching(func(l *lane) bool { return l.state == ready && l.queue[0].rule() == r.rule }) {
		q.unlist(l)
		q.enqueue(l)
	}
}

// resume returns the lanes that wait for a probe of a rule to their turn.
func (q *lanes) resume(r *refusals) {
	for _, l := range q.matching(func(l *lane) bool { return l.state == aside && l.key.rule == r.rule }) {
		l.source.weigh(-1, l.queue...)
		l.source.push(l)
	}
}

// mayStart reports whether nothing but the channel keeps the lane's next
// delivery from being tried.
func (q *lanes) mayStart(l *lane) bool {
	return !l.source.saturated(q.uncommitted) && q.mayFollow(l)
}

// mayFollow is mayStart but for what its partition's deliveries have in common.
func (q *lanes) mayFollow(l *lane) bool {
	return l.source.holds(l) && q.moves.to(l.source, l.queue[0]) == "" && !q.follows(l)
}
