package dispatch

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/offsets"
)

// delivery is one alert on its way to the channel.
type delivery struct {
	envelope *envelope.Envelope
	entry    *offsets.Entry
	laneKey  []byte           // nil: a lane of its own
	at       offsets.Position // where it stands in the outbox
	received time.Time

	span        *tracing.Span // from its first attempt on
	tries       int           // attempts begun, whether they count or not
	attempts    int
	firstTried  time.Time
	sent        time.Time // to all that would take it; zero: not yet
	witness     uint64    // the outbox's successes when it was first tried
	recipients  []string  // who is left; nil: all
	refused     []channel.Refusal
	mayBeRepeat bool
	inherited   bool         // a former owner may have made a dead letter of it
	dead        *dlq.Entry   // set once it is to be a dead letter
	closing     *dlq.Closure // set once its dead letter is to be closed: it was delivered
}

// rule returns the name of the rule that raised it.
func (d *delivery) rule() string { return d.envelope.Alert.Rule }

// written reports whether the delivery's end is decided and only to be written.
func (d *delivery) written() bool { return d.dead != nil || d.closing != nil }

// source is one assigned partition of the outbox topic.
type source struct {
	partition *consume.Partition
	input     offsets.Input // what it is to the repeat filter of another outbox
	ready     []*lane       // whose next delivery is live
	replays   []*lane       // whose next delivery is a dead letter sent again: they yield
	inFlight  int           // attempts, burials and moves under way
	attempts  int           // of these, attempts
	ending    int           // deliveries whose end is decided and not yet written
	// rewritten are the entries of deliveries that a former owner may have buried
	// and that ended here, by the version that this owner wrote: a replay of an
	// older one is obsolete. There are no more than a window has deliveries.
	rewritten map[string]int64
	dropped   bool
	drained   chan struct{}
	moving    int       // deliveries of a batch that is on its way to another channel's outbox
	moveFails int       // batches in a row that could not be put there
	moveAgain time.Time // not before this is it tried again
}

func (s *source) push(l *lane) {
	l.state = ready
	list := s.list(l)
	*list = append(*list, l)
}

// list is where a ready lane waits for its turn.
func (s *source) list(l *lane) *[]*lane {
	if l.queue[0].envelope.Replay != nil {
		return &s.replays
	}
	return &s.ready
}

// saturated reports whether one more attempt could make it more than limit
// deliveries that were sent and of which no commit says so: a crash would
// repeat them.
func (s *source) saturated(limit int) bool { return s.uncommitted() >= limit }

// uncommitted returns how many deliveries a crash now would repeat. What is
// under way counts, since all of it can end before the next commit.
func (s *source) uncommitted() int {
	n := s.ending + s.attempts + s.moving
	if s.partition != nil {
		n += s.partition.Uncommitted()
	}
	return n
}

// holds reports whether a commit could still say that the lane's next delivery
// is finished. There is always one for which it could: the oldest of all.
func (s *source) holds(l *lane) bool {
	d := l.queue[0]
	return s.partition == nil || d.entry == nil || s.partition.Holds(d.entry)
}

type laneState uint8

const (
	idle laneState = iota
	ready
	waiting // for its backoff
	flying  // an attempt or a burial is under way
	aside   // for a probe of its rule, which is suspended
)

// lane is the deliveries of one key, in order: the first one's outcome comes
// before the next one's first attempt.
type lane struct {
	key     laneKey
	source  *source
	number  uint64 // in the order in which lanes were made
	queue   []*delivery
	state   laneState
	due     time.Time
	told    bool // the wait was told by the provider: nothing cuts it short
	tried   time.Time
	backoff *backoff.ExponentialBackOff
	index   int // in the heap of waiting lanes; -1: not there
}

func (l *lane) work(d *delivery, do func()) Work {
	w := Work{Delivery: d.envelope.RepeatID(), Topic: l.source.input.Topic, Offset: d.at.Offset, Do: do}
	if l.source.partition != nil {
		w.Partition = l.source.partition.ID
	}
	return w
}

type laneKey struct {
	source *source
	key    string
	own    *delivery // for the null key
	aside  bool      // it has stepped aside: it holds one rule's deliveries
	rule   string    // that rule
}

// laneHeap orders waiting lanes by when they are due.
type laneHeap []*lane

func (h laneHeap) Len() int           { return len(h) }
func (h laneHeap) Less(i, j int) bool { return byDue(h[i], h[j]) < 0 }
func (h laneHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *laneHeap) Push(x any) {
	l := x.(*lane)
	l.index = len(*h)
	*h = append(*h, l)
}

// Pop implements heap.Interface.
func (h *laneHeap) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	l.index = -1
	return l
}

func (h *laneHeap) wait(l *lane, due time.Time, told bool) {
	l.state, l.due, l.told = waiting, due, told
	heap.Push(h, l)
}

func (h *laneHeap) remove(l *lane) {
	if l.index >= 0 {
		heap.Remove(h, l.index)
	}
}

func byDue(a, b *lane) int {
	if d := a.due.Compare(b.due); d != 0 {
		return d
	}
	return cmp.Compare(a.number, b.number)
}

// sorted returns the waiting lanes, the next one due first.
func (h laneHeap) sorted() []*lane {
	lanes := slices.Clone(h)
	slices.SortFunc(lanes, byDue)
	return lanes
}

func (h laneHeap) first() *lane {
	if len(h) == 0 {
		return nil
	}
	return h[0]
}

// due takes out a lane whose wait is over.
func (h *laneHeap) due(now time.Time) *lane {
	if l := h.first(); l != nil && !l.due.After(now) {
		return heap.Pop(h).(*lane)
	}
	return nil
}

// pick chooses the lane to try next: of the partitions in turn the one that
// has been ready longest, replays after all else; for a probe see pickProbe. It
// stays where it is until take.
func (o *Outbox) pick(probe bool) *lane {
	if probe {
		return o.pickProbe()
	}
	for _, list := range []func(*source) []*lane{live, replayed} {
		for range o.sources {
			o.turn = (o.turn + 1) % len(o.sources)
			s := o.sources[o.turn]
			if lanes := list(s); len(lanes) > 0 && !s.saturated(o.uncommitted) {
				if i := slices.IndexFunc(lanes, func(l *lane) bool { return s.holds(l) && o.moveTo(s, l.queue[0]) == "" }); i >= 0 {
					return lanes[i]
				}
			}
		}
	}
	return nil
}

func live(s *source) []*lane     { return s.ready }
func replayed(s *source) []*lane { return s.replays }

// pickProbe chooses the lane tried longest ago, whether it waits for its backoff
// or not. In a suspended channel the critical alerts that have not been tried
// since come first: of rules of which nothing was refused, then of the others,
// the newest first.
func (o *Outbox) pickProbe() *lane {
	var best *lane
	for _, l := range o.lanes {
		if l.state != ready && (l.state != waiting || l.told) || l.queue[0].written() || best != nil && o.byProbe(l, best) > 0 {
			continue
		}
		if o.mayGo(l) {
			best = l
		}
	}
	return best
}

// mayGo reports whether nothing but the channel keeps the lane's next delivery
// from being tried.
func (o *Outbox) mayGo(l *lane) bool {
	return !l.source.saturated(o.uncommitted) && l.source.holds(l) && o.moveTo(l.source, l.queue[0]) == ""
}

func (o *Outbox) byProbe(a, b *lane) int {
	first, second := o.rank(a), o.rank(b)
	if first != second || first == last {
		return cmp.Or(cmp.Compare(first, second), byTried(a, b))
	}
	return cmp.Or(b.queue[0].envelope.Alert.EventTime.Compare(a.queue[0].envelope.Alert.EventTime), cmp.Compare(a.number, b.number))
}

// last is the rank of the lanes that are tried in turn.
const last = 2

// rank is where a lane stands among those that a suspended channel is tried with.
func (o *Outbox) rank(l *lane) int {
	a := l.queue[0].envelope.Alert
	switch r := o.refused[a.Rule]; {
	case !o.gate.latched() || a.Severity != alert.Critical || !l.tried.Before(o.gate.since):
		return last
	case r == nil || r.recent == 0:
		return 0
	}
	return 1
}

func byTried(a, b *lane) int {
	if d := a.tried.Compare(b.tried); d != 0 {
		return d
	}
	return cmp.Compare(a.number, b.number)
}

// take removes the lane from wherever it waits; an attempt begins.
func (o *Outbox) take(l *lane) {
	o.unlist(l)
	l.state = flying
	l.source.inFlight++
}

// unlist takes the lane out of the ready lanes, or of the waiting ones.
func (o *Outbox) unlist(l *lane) {
	switch l.state {
	case waiting:
		o.backoffs.remove(l)
	case ready:
		list := l.source.list(l)
		if (*list)[0] == l {
			(*list)[0] = nil
			*list = (*list)[1:]
			return
		}
		if i := slices.Index(*list, l); i >= 0 {
			*list = slices.Delete(*list, i, i+1)
		}
	case aside:
		o.refused[l.key.rule].waiting--
	}
}

// ready makes the lane available: to the channel, or to the dead letters.
func (o *Outbox) ready(l *lane) {
	if l.queue[0].written() {
		l.state = flying
		o.burials = append(o.burials, l)
		return
	}
	o.enqueue(l)
}

// release ends an attempt.
func (o *Outbox) release(l *lane) {
	l.source.release()
}

// release ends one of the things under way.
func (s *source) release() {
	s.inFlight--
	if s.dropped && s.inFlight == 0 {
		close(s.drained)
	}
}

// advance goes on with the lane's next delivery: its first one has its outcome.
func (o *Outbox) advance(l *lane) {
	o.unlist(l)
	l.queue[0] = nil
	l.queue = l.queue[1:]
	l.backoff = nil
	if !l.key.aside { // the keys of a suspended rule are tried in turn
		l.tried = time.Time{}
	}
	o.pending--
	if len(l.queue) == 0 {
		o.drop(l)
		return
	}
	o.enqueue(l)
}

func (o *Outbox) newLane(key laneKey) *lane {
	o.made++
	l := &lane{key: key, source: key.source, number: o.made, index: -1}
	o.lanes[key] = l
	return l
}

// drop ends a lane that is empty.
func (o *Outbox) drop(l *lane) {
	delete(o.lanes, l.key)
	l.state = idle
	if l.key.aside {
		o.asides--
	}
}
