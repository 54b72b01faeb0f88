package dispatch

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/envelope"
)

// throttles remembers, per rule and alert key, what was sent last. It lives in
// memory: after a restart the first alert of each key is sent again. Producers
// choose the keys, so it has a bound: beyond it the oldest is evicted, and the
// next alert of its key is sent although it might have been counted.
type throttles struct {
	byKey   map[throttleKey]*list.Element
	order   list.List // of *throttled, the one opened longest ago first
	sweepIn int       // openings until those that have run out are forgotten
	links   int       // traces of all
	evicted func()    // is called for each one that was evicted; nil: nobody counts
}

type throttled struct {
	key      throttleKey
	delivery string    // the last message
	sent     time.Time // when that was
	until    time.Time // when it may be forgotten
	severity alert.Severity
	count    int // suppressed since the last message
	since    time.Time
	traces   []string // of the suppressed, the first maxLinks
}

const (
	// maxThrottles is how many keys of a channel are remembered, at some 300 bytes
	// each.
	maxThrottles = 100_000
	// sweepAfter is after how many openings at least those that have run out are
	// forgotten; more where more are left, so that it costs little per alert.
	sweepAfter = 10_000
	// maxLinks is how many suppressed alerts the next message's span links,
	// maxAllLinks how many are remembered for all keys of a channel.
	maxLinks, maxAllLinks = 32, 10_000
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
	if a.Throttle <= 0 || len(t.byKey) == 0 {
		return nil
	}
	if e := t.byKey[keyOf(a)]; e != nil {
		return e.Value.(*throttled)
	}
	return nil
}

// suppress reports whether the alert is to be counted instead of sent: one of
// its key was sent less than its throttle ago, and it is not more severe. What
// an earlier alert said of its own throttle cannot make that longer. A delivery is
// not suppressed by itself: some of its recipients may not have it.
func (t *throttles) suppress(a *alert.Alert, delivery string, now time.Time) bool {
	s := t.of(a)
	if s == nil || s.delivery == delivery || !now.Before(s.until) || now.Sub(s.sent) >= a.Throttle || a.Severity.Rank() > s.severity.Rank() {
		return false
	}
	if s.count == 0 {
		s.since = now
	}
	s.count++
	return true
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

// sent opens the alert's throttle again, with the delivery of its message.
func (t *throttles) sent(a *alert.Alert, delivery string, now time.Time) {
	if a.Throttle <= 0 {
		return
	}
	if t.byKey == nil {
		t.byKey = make(map[throttleKey]*list.Element)
	}
	key := keyOf(a)
	if e := t.byKey[key]; e != nil {
		t.forget(e)
	}
	if t.sweepIn--; t.sweepIn < 0 {
		t.sweep(now)
	}
	if len(t.byKey) >= maxThrottles {
		oldest := t.order.Front()
		if t.evicted != nil && now.Before(oldest.Value.(*throttled).until) {
			t.evicted()
		}
		t.forget(oldest)
	}
	t.byKey[key] = t.order.PushBack(&throttled{key: key, delivery: delivery, sent: now, until: now.Add(a.Throttle), severity: a.Severity})
}

// sweep forgets what has run out, but for those whose next message has
// something to tell.
func (t *throttles) sweep(now time.Time) {
	for e, next := t.order.Front(), (*list.Element)(nil); e != nil; e = next {
		next = e.Next()
		if s := e.Value.(*throttled); !now.Before(s.until) && s.count == 0 {
			t.forget(e)
		}
	}
	t.sweepIn = max(sweepAfter, len(t.byKey))
}

func (t *throttles) forget(e *list.Element) {
	s := t.order.Remove(e).(*throttled)
	delete(t.byKey, s.key)
	t.links -= len(s.traces)
}

// suppress settles a delivery that policy keeps from being sent, and reports
// whether it did.
func (t turn) suppress(now time.Time) bool {
	if len(t.d.members) > 0 {
		return t.suppressDigest(now)
	}
	how, why := t.policy(now)
	if how == "" {
		return false
	}
	t.endKept(how, why, func() { t.o.lanes.advance(t.l) })
	return true
}

// policy decides whether a delivery is kept from being sent, and counts that: how it
// ends, and why; empty: it is sent.
func (t turn) policy(now time.Time) (how, why string) {
	o, d := t.o, t.d
	a := d.envelope.Alert
	if d.envelope.Replay != nil {
		return "", "" // an operator asked for it
	}
	if d.recipients != nil || len(d.refused) > 0 {
		return "", "" // some recipients have it: it continues
	}
	tried := d.attempts > 0 || !d.firstTried.IsZero() // then it has its turn in the throttle
	how = expired
	switch {
	case hasExpired(a, now):
		why = t.expire(now)
	case !tried && o.throttles.suppress(a, d.envelope.Delivery, now):
		how, why = throttledAway, fmt.Sprintf("an alert of its key was sent at %s, the throttle is %s", clock(o.throttles.of(a).sent), channel.Duration(a.Throttle))
		o.metrics.suppressed(throttledAway)
		o.tell(slog.LevelDebug, "throttled, not sent", d)
	default:
		return "", ""
	}
	if o.p.Tracer != nil {
		o.begin(t.l, d, nil)
		if how == throttledAway {
			o.throttles.link(a, d.envelope.Trace)
		}
	}
	return how, why
}
