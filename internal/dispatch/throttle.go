package dispatch

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/envelope"
)

// throttles remembers, per rule and alert key, which event was told last. Times
// are those of events: an alert is as far from the last one as their events are,
// however late the channel is. Producers choose the keys, so it has a bound:
// beyond it the oldest is evicted, and the next alert of its key is sent although
// it might have been counted.
type throttles struct {
	byKey   map[throttleKey]*list.Element
	order   list.List        // of *throttled without an open episode, the one opened longest ago first
	firing  list.List        // of those with one, the one told longest ago first
	sweepIn int              // openings until those that have run out are forgotten
	links   int              // traces of all
	grouped bool             // the channel gathers: see suppress
	by      string           // tells the records that this process writes from others
	dropped func(*throttled) // is called for each one that is forgotten for good; nil: nobody has to know
	evicted func()           // is called for each one that was evicted; nil: nobody counts
	oldest  func() time.Time // the time of the oldest event that may still come; nil: of the present
}

type throttled struct {
	key      throttleKey
	delivery string    // the last message
	told     time.Time // the event of the last message
	newest   time.Time // the newest event of any message
	until    time.Time // not before this may it be forgotten
	throttle time.Duration
	severity alert.Severity
	count    int       // suppressed since the last message
	since    time.Time // the first of their events
	traces   []string  // of the suppressed, the first maxLinks
	opened   string    // the receipt's id of the first message of the thread; empty: there was none
	episode  *episode  // that is open; nil: none. It is not changed, but replaced: see firing.go
	through  positions // of what was told or counted
}

const (
	// maxThrottles is how many keys of a channel are remembered, at some 300 bytes
	// each.
	maxThrottles = 100_000
	// maxFiring is how many of them have an open episode, at some kilobytes each at most.
	maxFiring = 20_000
	// sweepAfter is after how many openings at least those that have run out are
	// forgotten; more where more are left, so that it costs little per alert.
	sweepAfter = 10_000
	// maxLinks is how many suppressed alerts the next message's span links,
	// maxAllLinks how many are remembered for all keys of a channel.
	maxLinks, maxAllLinks = 32, 10_000
	// keepCount is for how long the next message of a key is waited for.
	keepCount = 30 * 24 * time.Hour
)

// throttleKey identifies a rule and an alert key: the beginning of the SHA-256
// of their parts, each after its length, since a part may hold any character.
type throttleKey [16]byte

func keyOf(a *alert.Alert) throttleKey {
	b := appendPart(make([]byte, 0, 256), a.Rule)
	for _, part := range a.Key {
		b = appendPart(b, part)
	}
	sum := sha256.Sum256(b)
	return throttleKey(sum[:])
}

func appendPart(b []byte, part string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}

// of returns the alert's throttle; nil: it has none, or none is open.
func (t *throttles) of(a *alert.Alert) *throttled {
	if a.Throttle <= 0 && !a.Clears || len(t.byKey) == 0 {
		return nil
	}
	if e := t.byKey[keyOf(a)]; e != nil {
		return e.Value.(*throttled)
	}
	return nil
}

// near reports whether two events are less than the throttle apart, whichever was first.
func near(a, b time.Time, throttle time.Duration) bool { return a.Sub(b).Abs() < throttle }

// suppress reports whether the alert is to be counted instead of sent: its event is
// less than its throttle from the last one told of its key, or from the newest, and it
// is not more severe. What an earlier alert said of its own throttle cannot make that
// longer. A delivery is not suppressed by itself: some of its recipients may not have it.
// One that a former owner has counted is not counted again. Where a rule's groups are not
// its keys, a channel that gathers tells the alerts of a key in any order: of an offset
// nothing follows then. While an episode is open that was told, all of its alerts are
// counted that are not more severe.
func (t *throttles) suppress(a *alert.Alert, delivery string, at place) bool {
	s := t.of(a)
	if s == nil || s.delivery == delivery {
		return false
	}
	ordered := !t.grouped || a.Group == nil || a.Clears // whose group is made of parts of its key
	if a.Clears && s.through.covers(at) {
		return true // a former owner has told or counted it, and what became of its episode
	}
	if a.Severity.Rank() > s.severity.Rank() {
		return false
	}
	again := ordered && s.through.covers(at) && !a.EventTime.After(s.newest) // a former owner has told or counted it, and later ones
	if d := min(a.Throttle, s.throttle); !s.fires() && !again && !near(a.EventTime, s.told, d) && !near(a.EventTime, s.newest, d) {
		return false
	}
	if !s.through.pass(at) && ordered {
		return true
	}
	s.counts(a)
	return true
}

// counts notes an alert that the next message speaks for.
func (s *throttled) counts(a *alert.Alert) {
	if s.count == 0 || a.EventTime.Before(s.since) {
		s.since = a.EventTime
	}
	s.count++
}

// suppressed returns what the next message of this alert's key has to tell.
func (t *throttles) suppressed(a *alert.Alert) (int, time.Time) {
	if s := t.of(a); s != nil {
		return s.count, s.since
	}
	return 0, time.Time{}
}

// link remembers the trace of an alert that was suppressed.
func (t *throttles) link(a *alert.Alert, trace string) {
	if s := t.of(a); s != nil && trace != "" && len(s.traces) < maxLinks && t.links < maxAllLinks {
		s.traces = append(s.traces, trace)
		t.links++
	}
}

// traces returns those that the next message of this alert's key speaks for
// as well.
func (t *throttles) traces(e *envelope.Envelope) []string {
	if e.Replay != nil {
		return nil
	}
	if s := t.of(e.Alert); s != nil {
		return s.traces
	}
	return nil
}

// threadFor is for how long the messages of a key without episodes are one thread.
const threadFor = 24 * time.Hour

// sent opens the alert's throttle again, and its episode, with the delivery of its message
// and the id of its receipt.
func (t *throttles) sent(a *alert.Alert, delivery, receipt string, at place, now time.Time) {
	if a.Throttle <= 0 && !a.Clears {
		return
	}
	s := &throttled{
		key: keyOf(a), delivery: delivery, told: a.EventTime, newest: a.EventTime, until: now.Add(a.Throttle), throttle: a.Throttle, severity: a.Severity, opened: receipt,
	}
	if former := t.of(a); former != nil {
		s.through = former.through
		if former.newest.After(s.newest) {
			s.newest = former.newest
		}
		if former.opened != "" && (a.Clears || near(a.EventTime, former.told, threadFor)) {
			s.opened = former.opened
		}
		s.episode = former.episode
	}
	if a.Clears {
		s.episode = s.episode.tell(a, now)
	}
	s.through.pass(at)
	t.put(s, now)
}

// put remembers a throttle in place of the former one of its key.
func (t *throttles) put(s *throttled, now time.Time) {
	if t.byKey == nil {
		t.byKey = make(map[throttleKey]*list.Element)
	}
	if e := t.byKey[s.key]; e != nil {
		t.forget(e)
	}
	if t.sweepIn--; t.sweepIn < 0 {
		t.sweep(now)
	}
	list := &t.order
	if s.episode != nil {
		list = &t.firing
	}
	switch {
	case s.episode != nil && list.Len() >= maxFiring:
		t.evict(list, now)
	case len(t.byKey) >= maxThrottles:
		t.evict(&t.order, now)
	}
	t.byKey[s.key] = list.PushBack(s)
}

// evict forgets the oldest of a list.
func (t *throttles) evict(from *list.List, now time.Time) {
	oldest := from.Front()
	if s := oldest.Value.(*throttled); t.evicted != nil && (s.episode != nil || now.Before(s.until)) {
		t.evicted()
	}
	t.drop(oldest)
}

// sweep forgets what has run out: nothing that may still come is near to it. Where
// the next message has something to tell, it is kept for as long as keepCount.
func (t *throttles) sweep(now time.Time) {
	oldest := now
	if t.oldest != nil {
		oldest = t.oldest()
	}
	for e := t.firing.Front(); e != nil && now.Sub(e.Value.(*throttled).episode.Last) > keepCount; e = t.firing.Front() {
		t.drop(e) // its rule may be gone
	}
	for e, next := t.order.Front(), (*list.Element)(nil); e != nil; e = next {
		next = e.Next()
		s := e.Value.(*throttled)
		if now.Before(s.until) || oldest.Before(s.newest.Add(s.throttle)) || s.count > 0 && now.Sub(s.until) < keepCount {
			continue
		}
		t.drop(e)
	}
	t.sweepIn = max(sweepAfter, len(t.byKey))
}

// drop forgets a key for good.
func (t *throttles) drop(e *list.Element) {
	t.forget(e)
	if t.dropped != nil {
		t.dropped(e.Value.(*throttled))
	}
}

func (t *throttles) forget(e *list.Element) {
	s := e.Value.(*throttled)
	t.order.Remove(e)
	t.firing.Remove(e)
	delete(t.byKey, s.key)
	t.links -= len(s.traces)
}

// place is where the delivery stands.
func (t turn) place() place {
	s := t.l.source
	return place{s.input.Topic, s.input.Partition, t.d.at.Offset}
}

// why says why an alert is counted.
func (s *throttled) why(a *alert.Alert) string {
	if s.fires() {
		return fmt.Sprintf("its key has been firing since %s, which was sent", clock(s.episode.Since))
	}
	return fmt.Sprintf("an alert of its key, of %s, was sent; the throttle is %s", clock(s.told), channel.Duration(a.Throttle))
}
