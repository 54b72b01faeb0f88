package dispatch

import (
	"context"
	"fmt"
	"time"

	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/state"
	"github.com/algotrade/notifier/internal/throttle"
)

// State keeps what must survive this process.
type State interface {
	// Known calls f, not before it returns, once Learn was called with all that was
	// written by now.
	Known(f func())
	// Write returns once all in-sync replicas have the records.
	Write(ctx context.Context, records ...state.Record) error
}

const (
	// saveEvery is how long changes wait for others where nothing was sent.
	saveEvery = time.Second
	// saveAt is how many deliveries wait at most for that.
	saveAt = 128
	// retrySave is how long after a failed write the next one begins.
	retrySave = time.Second
	// savePatience is after how long of failed writes deliveries are settled without.
	savePatience = 5 * time.Second
)

// stateKey is what a record of the channel's state is about.
type stateKey struct {
	kind state.Kind
	key  string // of a throttle: its throttle.Key
}

func throttleState(key throttle.Key) stateKey { return stateKey{state.Throttle, string(key[:])} }

// recordOf returns what the state topic is to say of a key by now.
func (o *Dispatcher) recordOf(k stateKey) state.Record {
	if k.kind == state.Throttle {
		return o.throttles.Record(throttle.Key([]byte(k.key)), o.p.Name)
	}
	return o.silencing.record(k.key, o.p.Name)
}

// saving writes what changes of the throttles and the silenced alerts. A delivery that was sent, or counted, is
// settled when the record that says so is acknowledged, so that a crash forgets neither:
// one write is under way at a time, and takes all that has changed before it begins.
type saving struct {
	changed map[stateKey]bool
	due     time.Time // when the next write may begin
	unseen  bool      // no wake-up is set for that
	number  uint64    // of the writes that have begun
	acked   uint64    // of these, the last one that was acknowledged: with what those before it held
	writing bool
	parked  []parked
	failing time.Time // since when writes fail; zero: they do not
	skipped bool      // they have failed for so long that deliveries are settled without
}

// parked is a delivery that is settled once a write is acknowledged.
type parked struct {
	turn
	write uint64
}

// change has the next write hold a key, and returns its number; 0: nothing is written. It
// begins soon where something was sent.
func (o *Dispatcher) change(key stateKey, sent bool) uint64 {
	s := &o.saving
	if o.p.State == nil {
		return 0
	}
	if s.changed == nil {
		s.changed = make(map[stateKey]bool)
	}
	due := o.now()
	if !sent {
		due = due.Add(saveEvery)
	}
	if len(s.changed) == 0 || due.Before(s.due) && s.failing.IsZero() {
		s.due, s.unseen = due, true
	}
	s.changed[key] = true
	return s.number + 1
}

// park keeps a delivery until what it changed is acknowledged; false: that is not waited for.
// One that was sent would be repeated by a crash until then. After Close it is the next
// owner's.
func (t turn) park() bool {
	s := &t.o.saving
	if t.d.saves <= s.acked || s.skipped {
		return false
	}
	if t.o.ctx.Err() != nil {
		return true
	}
	t.l.source.inFlight++
	if !t.d.sent.IsZero() {
		t.l.source.ending++
	}
	if s.parked = append(s.parked, parked{t, t.d.saves}); len(s.parked) >= saveAt && s.failing.IsZero() {
		s.due, s.unseen = t.o.now(), true
	}
	return true
}

// release settles the parked deliveries of the writes up to a number.
func (s *saving) release(upTo uint64) {
	s.unpark(func(p parked) bool { return p.write <= upTo }, turn.free)
}

// abandon leaves the parked deliveries to their next owner.
func (s *saving) abandon() {
	s.unpark(func(parked) bool { return true }, func(turn) {})
}

func (s *saving) unpark(which func(parked) bool, then func(turn)) {
	left := s.parked[:0]
	for _, p := range s.parked {
		if !which(p) {
			left = append(left, p)
			continue
		}
		then(p.turn)
		if !p.d.sent.IsZero() {
			p.l.source.ending--
		}
		p.l.source.release()
	}
	clear(s.parked[len(left):])
	s.parked = left
}

// save begins a write if one is due, and returns when to look again.
func (o *Dispatcher) save(now time.Time) (again time.Time) {
	s := &o.saving
	s.unseen = false
	if s.writing || len(s.changed) == 0 {
		return time.Time{}
	}
	if s.due.After(now) {
		return s.due
	}
	keys := s.changed
	records := make([]state.Record, 0, len(keys))
	for key := range keys {
		records = append(records, o.recordOf(key))
	}
	s.changed, s.writing = nil, true
	s.number++
	number := s.number
	o.p.Driver.Go(Work{Do: func() {
		err := o.p.State.Write(o.ctx, records...)
		o.mu.Lock()
		defer o.mu.Unlock()
		s.writing = false
		if err == nil {
			o.saved(number)
		} else {
			o.notSaved(now, keys, err)
		}
		o.pump()
	}})
	return time.Time{}
}

// saveNow has what has changed written at once, and what changes meanwhile after that: a partition
// is left.
func (o *Dispatcher) saveNow() {
	if len(o.saving.parked) > 0 {
		o.saving.due = time.Time{}
		o.pump()
	}
}

// throttleDropped has a throttle deleted from the state topic, unless another process knows better.
func (o *Dispatcher) throttleDropped(s *throttle.Entry) {
	if o.owns(&s.Through) {
		o.change(throttleState(s.Key), false)
	}
}

func (o *Dispatcher) saved(number uint64) {
	s := &o.saving
	s.acked, s.failing = number, time.Time{}
	if s.skipped {
		s.skipped = false
		o.p.Conditions.Clear(health.State, o.p.Name)
	}
	s.release(number)
}

// notSaved has the keys of a write that failed written again, with the next.
func (o *Dispatcher) notSaved(began time.Time, keys map[stateKey]bool, err error) {
	s := &o.saving
	if o.ctx.Err() != nil {
		return
	}
	for key := range s.changed {
		keys[key] = true
	}
	now := o.now()
	s.changed, s.due = keys, now.Add(retrySave)
	if s.failing.IsZero() {
		s.failing = began
	}
	if now.Sub(s.failing) < savePatience {
		return
	}
	s.skipped = true
	o.p.Conditions.Set(health.Condition{
		Type: health.State, Subject: o.p.Name, Attrs: []any{"channel", o.p.Name},
		Message: fmt.Sprintf("throttles of channel %s cannot be saved: %v; alerts are sent and throttled, but after a restart those of the last minutes are forgotten; run 'notifier topics check'",
			o.p.Name, err),
	})
	s.release(s.number)
}

// Learn takes in a record of the channel's state, as any process has written it. What this
// process knows better about its own partitions is written again.
func (o *Dispatcher) Learn(r state.Record) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch r.Kind {
	case state.Throttle:
		if key, stale := o.throttles.Learn(r, o.owns, o.now()); stale {
			o.change(throttleState(key), true)
			o.pump()
		}
	case state.Silence, state.Suppressed:
		o.learnSilenced(r)
	}
}

// owns reports whether this process reads one of the partitions.
func (o *Dispatcher) owns(p *throttle.Positions) bool { return o.sourceOf(p) != nil }
