package dispatch

import (
	"cmp"
	"container/heap"
	"slices"
	"strings"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Fallback is the channel that gets what this one has kept for After while it was suspended or
// its circuit open. A rate limit is no reason, and what is gathered waits for the end of
// its window.
type Fallback struct {
	To string `yaml:"to"` // To is the channel that gets the alerts.
	// After is how long an alert has been kept until it goes there; default: 20s.
	After time.Duration `yaml:"after" range:"1s..24h"`
	// Severity are the severities that go there; none: all.
	Severity []alert.Severity `yaml:"severity"`
}

const defaultAfter = 20 * time.Second

// CheckYAML implements yamldoc.Checker.
func (f *Fallback) CheckYAML(at yamldoc.Cursor) {
	if f.To == "" {
		at.Field("to").Fault("is missing: name the channel that gets the alerts")
	}
	if !at.Has("after") {
		f.After = defaultAfter
	}
	if at.Has("severity") {
		for i, item := range at.Field("severity").Items() {
			if i < len(f.Severity) && f.Severity[i].Rank() == 0 {
				item.Fault("%q is not one of info, warning and critical", f.Severity[i])
			}
		}
	}
}

// takes reports whether alerts of a severity go to the other channel.
func (f *Fallback) takes(s alert.Severity) bool {
	return len(f.Severity) == 0 || slices.Contains(f.Severity, s)
}

// fallbackState is what is known of messages on their way to the fallback channel.
type fallbackState struct {
	next time.Time // when the lanes are looked through again; zero: with the next event
	told bool      // a line says that messages go there
}

// lookAgainAfter is the least time between two looks at what may fall back.
const lookAgainAfter = 250 * time.Millisecond

// startFallback starts to put messages that have waited for long into the outbox of the
// fallback channel, and returns when to look again.
func (o *Dispatcher) startFallback(now time.Time) (again time.Time) {
	f, since := &o.p.Config.Fallback, o.downSince()
	if f.To == "" || o.p.Outboxes == nil || since.IsZero() {
		o.fallback = fallbackState{}
		return time.Time{}
	}
	if o.lanes.pending == 0 {
		return time.Time{}
	}
	if first := since.Add(f.After); first.After(now) {
		return first
	}
	if o.fallback.next.After(now) {
		return o.fallback.next
	}
	next := now.Add(f.After) // what comes meanwhile is not due before
	for _, s := range o.lanes.sources {
		room := o.p.Uncommitted - s.uncommitted()
		if s.moving > 0 || room <= 0 || s.moveAgain.After(now) {
			next = now
			continue
		}
		batch, due := o.fallbackBatch(s, since, now)
		if next = earlier(next, due); len(batch) == 0 {
			continue
		}
		if len(batch) > room {
			slices.SortFunc(batch, func(a, b *moving) int {
				return cmp.Or(b.d.envelope.Alert.Severity.Rank()-a.d.envelope.Alert.Severity.Rank(), cmp.Compare(a.d.at.Offset, b.d.at.Offset))
			})
			batch, next = batch[:room], now
		}
		slices.SortFunc(batch, func(a, b *moving) int { return cmp.Compare(a.d.at.Offset, b.d.at.Offset) })
		o.logFallback(batch[0].why)
		for _, m := range batch {
			m.hold()
		}
		transfer{o, s, batch}.begin()
	}
	if next.Before(now.Add(lookAgainAfter)) {
		next = now.Add(lookAgainAfter)
	}
	o.fallback.next = next
	return next
}

// downSince is when a suspension or an open circuit began; zero: the channel can send.
func (o *Dispatcher) downSince() (since time.Time) {
	if o.gate.suspended() {
		since = o.gate.since
	}
	if o.breaker.seen != gobreaker.StateClosed {
		since = earlier(since, o.breaker.since)
	}
	return since
}

// downCause says why the channel cannot send, in a few words: "suspended: invalid_auth".
func (o *Dispatcher) downCause() string {
	state, why := "failing", ""
	if o.gate.suspended() {
		state, why = channel.Suspended, o.gate.reason
	}
	if e := o.breaker.failure; e != nil && (why == "" || why == e.Error()) {
		why = cmp.Or(e.Detail, string(e.Cause))
	}
	if o.p.Redact != nil {
		why = o.p.Redact(why)
	}
	return alert.ShortenBytes(strings.TrimSuffix(state+": "+why, ": "), envelope.MaxCause)
}

// fallbackBatch returns the deliveries of a partition that go to the fallback channel now, and
// when the next one does. What policy keeps from being sent is settled.
func (o *Dispatcher) fallbackBatch(s *source, since, now time.Time) (batch []*moving, next time.Time) {
	why := &envelope.Instead{Channel: o.p.Name, Cause: o.downCause()}
	for _, l := range o.lanes.matching(func(l *lane) bool { return l.source == s && o.canFallBack(l) }) {
		due := o.fallbackDue(l, l.queue[0], since)
		if head := l.queue[0]; len(head.members)+len(head.tied) > 0 && !due.After(now) {
			if len(head.tied) > 0 {
				next = now // the other groups are not among these lanes yet
			}
			o.lanes.dissolve(l)
		}
		head := l.queue[0]
		for _, d := range slices.Clone(l.queue) {
			x := turn{o, l, d}
			if due := o.fallbackDue(l, d, since); due.After(now) {
				next = earlier(next, due)
				continue
			}
			if !x.fallsBack() {
				continue
			}
			if how, what := x.policy(now); how != "" {
				l.remove(d)
				x.drop(how, what)
				continue
			}
			batch = append(batch, &moving{turn: x, to: o.p.Config.Fallback.To, why: why, since: x.ending()})
		}
		o.lanes.shrunk(l, head)
	}
	return batch, next
}

// shrunk continues with a lane that deliveries may have been taken out of; head was its
// first.
func (q *lanes) shrunk(l *lane, head *delivery) {
	switch {
	case len(l.queue) == 0:
		q.unlist(l)
		q.drop(l)
	case l.queue[0] != head:
		q.unlist(l)
		q.enqueue(l)
	case l.state == ready:
		heap.Fix(&l.source.ready, l.index)
	}
}

// canFallBack reports whether nothing but the channel keeps a lane's message from being sent.
func (o *Dispatcher) canFallBack(l *lane) bool {
	if l.state != ready && (l.state != waiting || l.wait == windowEnd || l.wait == stateEnd) {
		return false // in flight, or tied: then it may be empty
	}
	d := l.queue[0]
	return !d.written() && d.deferred.IsZero() && !l.key.deferred && !l.key.aside
}

// fallbackDue is when a delivery has waited for long enough. What one message tells has
// waited as long as its first delivery, from the end of the window on.
func (o *Dispatcher) fallbackDue(l *lane, d *delivery, since time.Time) time.Time {
	ready := d.received
	if l.group != nil {
		ready = l.queue[0].received
		if end := l.group.Due(l.severity); end.After(ready) {
			ready = end
		}
	}
	if ready.Before(since) {
		ready = since
	}
	return ready.Add(o.p.Config.Fallback.After)
}

// fallsBack reports whether a delivery may go to the fallback channel. It does so once, and
// not where its rule sends it to that channel too. An operator's replay, a reminder of what
// this channel was told, and a message that some recipients have, are for this channel.
func (t turn) fallsBack() bool {
	d, f := t.d, &t.o.p.Config.Fallback
	e := d.envelope
	switch {
	case e.Instead != nil, e.Replay != nil, e.Alert.Reminder > 0, e.Notice(), slices.Contains(e.Channels, f.To), !f.takes(e.Alert.Severity):
		return false
	case d.stays, d.written(), !d.sent.IsZero(), d.recipients != nil, len(d.refused) > 0, t.unrecalled():
		return false
	case t.o.lanes.moves.to(t.l.source, d) != "", t.o.lanes.setsAside(t.l, d):
		return false
	}
	return t.l.source.partition == nil || d.entry == nil || t.l.source.partition.Holds(d.entry)
}

// logFallback says once that messages go to the fallback channel.
func (o *Dispatcher) logFallback(why *envelope.Instead) {
	if o.fallback.told {
		return
	}
	o.fallback.told = true
	o.log.Warn("alerts go to the fallback channel", "to", o.p.Config.Fallback.To, "after", o.p.Config.Fallback.After, "cause", why.Cause)
}

// instead is the channel that the message was meant for; nil: this one.
func (d *delivery) instead() *channel.Instead {
	for x := range d.all {
		if i := x.envelope.Instead; i != nil {
			return (*channel.Instead)(i)
		}
	}
	return nil
}
