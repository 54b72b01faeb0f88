package throttle

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

// Set remembers, per rule and alert key, which event was told last. Times are those of events: an alert is as far from the last one as their events are,
// however late the channel is. Producers choose the keys, so it has a bound:
// beyond it the oldest is evicted, and the next alert of its key is sent although
// it might have been counted.
type Set struct {
	byKey   map[Key]*list.Element
	order   list.List        // of *Entry without an open episode, the one opened longest ago first
	firing  list.List        // of those with one, the one told longest ago first
	sweepIn int              // openings until those that have run out are forgotten
	links   int              // traces of all
	Grouped bool             // the channel gathers: see Suppress
	By      string           // tells the records that this process writes from others
	Dropped func(*Entry)     // is called for each one that is forgotten for good; nil: nobody has to know
	Evicted func()           // is called for each one that was evicted; nil: nobody counts
	Oldest  func() time.Time // the time of the oldest event that may still come; nil: of the present
}

// Entry is what is remembered of a rule and alert key.
type Entry struct {
	Key      Key
	Delivery string    // the last message
	told     time.Time // the event of the last message
	newest   time.Time // the newest event of any message
	until    time.Time // not before this may it be forgotten
	throttle time.Duration
	Severity alert.Severity
	count    int       // suppressed since the last message
	since    time.Time // the first of their events
	traces   []string  // of the suppressed, the first MaxLinks
	Opened   string    // the receipt's id of the first message of the thread; empty: there was none
	Episode  *Episode  // that is open; nil: none. It is not changed, but replaced
	Through  Positions // of what was told or counted
}

const (
	// Max is how many keys of a channel are remembered, at some 300 bytes each.
	Max = 100_000
	// maxFiring is how many of them have an open episode, at some kilobytes each at most.
	maxFiring = 20_000
	// sweepAfter is after how many openings at least those that have run out are
	// forgotten; more where more are left, so that it costs little per alert.
	sweepAfter = 10_000
	// MaxLinks is how many suppressed alerts the next message's span links,
	// maxAllLinks how many are remembered for all keys of a channel.
	MaxLinks, maxAllLinks = 32, 10_000
	// keepCount is for how long the next message of a key is waited for.
	keepCount = 30 * 24 * time.Hour
)

// Key identifies a rule and an alert key: the beginning of the SHA-256 of their
// parts, each after its length, since a part may hold any character.
type Key [16]byte

// KeyOf returns the key of an alert.
func KeyOf(a *alert.Alert) Key {
	b := appendPart(make([]byte, 0, 256), a.Rule)
	for _, part := range a.Key {
		b = appendPart(b, part)
	}
	sum := sha256.Sum256(b)
	return Key(sum[:])
}

func appendPart(b []byte, part string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}

// Of returns the alert's throttle; nil: it has none, or none is open.
func (t *Set) Of(a *alert.Alert) *Entry {
	if a.Throttle <= 0 && !a.Clears || len(t.byKey) == 0 {
		return nil
	}
	if e := t.byKey[KeyOf(a)]; e != nil {
		return e.Value.(*Entry)
	}
	return nil
}

// near reports whether two events are less than the throttle apart, whichever was first.
func near(a, b time.Time, throttle time.Duration) bool { return a.Sub(b).Abs() < throttle }

// Suppress reports whether the alert is to be counted instead of sent: its event is
// less than its throttle from the last one told of its key, or from the newest, and it
// is not more severe. What an earlier alert said of its own throttle cannot make that
// longer. A delivery is not suppressed by itself: some of its recipients may not have it.
// One that a former owner has counted is not counted again. Where a rule's groups are not
// its keys, a channel that gathers tells the alerts of a key in any order: of an offset
// nothing follows then. While an episode is open that was told, all of its alerts are
// counted that are not more severe.
func (t *Set) Suppress(a *alert.Alert, delivery string, at Place) bool {
	s := t.Of(a)
	if s == nil || s.Delivery == delivery {
		return false
	}
	ordered := !t.Grouped || a.Group == nil || a.Clears // whose group is made of parts of its key
	if a.Clears && s.Through.Covers(at) {
		return true // a former owner has told or counted it, and what became of its episode
	}
	if a.Severity.Rank() > s.Severity.Rank() {
		return false
	}
	again := ordered && s.Through.Covers(at) && !a.EventTime.After(s.newest) // a former owner has told or counted it, and later ones
	if d := min(a.Throttle, s.throttle); !s.Fires() && !again && !near(a.EventTime, s.told, d) && !near(a.EventTime, s.newest, d) {
		return false
	}
	if !s.Through.pass(at) && ordered {
		return true
	}
	s.counts(a)
	return true
}

// counts notes an alert that the next message speaks for.
func (s *Entry) counts(a *alert.Alert) {
	if s.count == 0 || a.EventTime.Before(s.since) {
		s.since = a.EventTime
	}
	s.count++
}

// Suppressed returns what the next message of this alert's key has to tell.
func (t *Set) Suppressed(a *alert.Alert) (int, time.Time) {
	if s := t.Of(a); s != nil {
		return s.count, s.since
	}
	return 0, time.Time{}
}

// Link remembers the trace of an alert that was suppressed.
func (t *Set) Link(a *alert.Alert, trace string) {
	if s := t.Of(a); s != nil && trace != "" && len(s.traces) < MaxLinks && t.links < maxAllLinks {
		s.traces = append(s.traces, trace)
		t.links++
	}
}

// Traces returns those that the next message of this alert's key speaks for
// as well.
func (t *Set) Traces(e *envelope.Envelope) []string {
	if e.Replay != nil {
		return nil
	}
	if s := t.Of(e.Alert); s != nil {
		return s.traces
	}
	return nil
}

// threadFor is for how long the messages of a key without episodes are one thread.
const threadFor = 24 * time.Hour

// Sent opens the alert's throttle again, and its episode, with the delivery of its message
// and the id of its receipt.
func (t *Set) Sent(a *alert.Alert, delivery, receipt string, at Place, now time.Time) {
	if a.Throttle <= 0 && !a.Clears {
		return
	}
	s := &Entry{
		Key: KeyOf(a), Delivery: delivery, told: a.EventTime, newest: a.EventTime, until: now.Add(a.Throttle), throttle: a.Throttle, Severity: a.Severity, Opened: receipt,
	}
	if former := t.Of(a); former != nil {
		s.Through = former.Through
		if former.newest.After(s.newest) {
			s.newest = former.newest
		}
		if former.Opened != "" && former.Threads(a) {
			s.Opened = former.Opened
		}
		s.Episode = former.Episode
	}
	if a.Clears {
		s.Episode = s.Episode.tell(a, now)
	}
	s.Through.pass(at)
	t.Put(s, now)
}

// Threads reports whether the next message of an alert belongs to the thread of the last.
func (s *Entry) Threads(a *alert.Alert) bool {
	return a.Clears || near(a.EventTime, s.told, threadFor)
}

// RunsOut returns from when on an event of the alert would be told again, if no episode is open.
func (s *Entry) RunsOut(a *alert.Alert) time.Time {
	last := s.told
	if s.newest.After(last) {
		last = s.newest
	}
	return last.Add(min(a.Throttle, s.throttle))
}

// Open iterates over the throttles with an open episode, the one told longest ago first.
func (t *Set) Open(yield func(*Entry) bool) {
	for e := t.firing.Front(); e != nil; e = e.Next() {
		if !yield(e.Value.(*Entry)) {
			return
		}
	}
}

// Put remembers a throttle in place of the former one of its key.
func (t *Set) Put(s *Entry, now time.Time) {
	if t.byKey == nil {
		t.byKey = make(map[Key]*list.Element)
	}
	if e := t.byKey[s.Key]; e != nil {
		t.forget(e)
	}
	if t.sweepIn--; t.sweepIn < 0 {
		t.Sweep(now)
	}
	list := &t.order
	if s.Episode != nil {
		list = &t.firing
	}
	switch {
	case s.Episode != nil && list.Len() >= maxFiring:
		t.evict(list, now)
	case len(t.byKey) >= Max:
		t.evict(&t.order, now)
	}
	t.byKey[s.Key] = list.PushBack(s)
}

// evict forgets the oldest of a list.
func (t *Set) evict(from *list.List, now time.Time) {
	oldest := from.Front()
	if s := oldest.Value.(*Entry); t.Evicted != nil && (s.Episode != nil || now.Before(s.until)) {
		t.Evicted()
	}
	t.drop(oldest)
}

// Sweep forgets what has run out: nothing that may still come is near to it. Where
// the next message has something to tell, it is kept for as long as keepCount.
func (t *Set) Sweep(now time.Time) {
	oldest := now
	if t.Oldest != nil {
		oldest = t.Oldest()
	}
	for e := t.firing.Front(); e != nil && now.Sub(e.Value.(*Entry).Episode.Last) > keepCount; e = t.firing.Front() {
		t.drop(e) // its rule may be gone
	}
	for e, next := t.order.Front(), (*list.Element)(nil); e != nil; e = next {
		next = e.Next()
		s := e.Value.(*Entry)
		if now.Before(s.until) || oldest.Before(s.newest.Add(s.throttle)) || s.count > 0 && now.Sub(s.until) < keepCount {
			continue
		}
		t.drop(e)
	}
	t.sweepIn = max(sweepAfter, len(t.byKey))
}

// drop forgets a key for good.
func (t *Set) drop(e *list.Element) {
	t.forget(e)
	if t.Dropped != nil {
		t.Dropped(e.Value.(*Entry))
	}
}

func (t *Set) forget(e *list.Element) {
	s := e.Value.(*Entry)
	t.order.Remove(e)
	t.firing.Remove(e)
	delete(t.byKey, s.Key)
	t.links -= len(s.traces)
}

// Why says why an alert is counted.
func (s *Entry) Why(a *alert.Alert) string {
	if s.Fires() {
		return fmt.Sprintf("its key has been firing since %s, which was sent", clock(s.Episode.Since))
	}
	return fmt.Sprintf("an alert of its key, of %s, was sent; the throttle is %s", clock(s.told), channel.Duration(a.Throttle))
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }
