package dispatch

import (
	"fmt"
	"time"

	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/outcome"
)

// Deliveries takes a record of each delivery that ended.
type Deliveries interface {
	// Write takes one of a delivery that is settled without it. It must not wait.
	Write(r *deliverylog.Record)
	// Keep takes one of a delivery that is settled once the record is kept: done is
	// called with each error, then with nil, and never before Keep returns. It must not
	// wait.
	Keep(r *deliverylog.Record, done func(error))
}

// record is what the delivery log gets of a delivery; nil: nothing, since it has not
// ended, or there is no log.
func (t turn) record(how string) *deliverylog.Record {
	d := t.d
	if t.o.p.Deliveries == nil || how == abandoned || how == superseded || how == unneeded {
		return nil
	}
	r := deliverylog.New(d.envelope)
	r.Decision, r.Received = deliverylog.Decision(how), d.received
	r.Outbox.Offset = d.at.Offset
	if p := t.l.source.partition; p != nil {
		r.Outbox.TopicID, r.Outbox.Partition = p.TopicID(), p.ID
	}
	d.made.To(r)
	r.Earlier, r.Receipt, r.MayBeDuplicate = d.former, d.receipt, d.mayBeDuplicate
	if how == silenced {
		r.Silence = d.silence
	}
	if how == deadLettered {
		r.Reason, r.Cause, r.Detail = d.dead.Reason, d.dead.Cause, d.dead.Detail
	}
	return r
}

// end says how the delivery and its members ended: in their spans, and in the delivery
// log.
func (t turn) end(how string) {
	t.d.end(how)
	for x := range t.d.all {
		r := turn{t.o, t.l, x}.record(how)
		if r == nil {
			return
		}
		if x != t.d {
			t.d.made.To(r)
		}
		if how == delivered && len(t.d.members) > 0 {
			r.Decision, r.Digest = digested, t.d.envelope.Delivery
			r.Receipt, r.MayBeDuplicate = t.d.receipt, t.d.mayBeDuplicate || x.mayBeDuplicate
		}
		t.o.p.Deliveries.Write(r)
	}
}

// endKept ends a delivery that policy keeps from being sent; leave takes it out of its
// lane, since it is decided. It is settled once its record is kept.
func (t turn) endKept(how, why string, leave func()) {
	o, d, s := t.o, t.d, t.l.source
	r := t.record(how)
	if r == nil {
		d.end(how)
		t.commit()
		leave()
		return
	}
	r.Detail = why
	s.inFlight++
	held := true // what is in flight holds up a revoke; a log that cannot be written does not
	release := func() {
		if held {
			held = false
			s.release()
		}
	}
	leave()
	o.p.Deliveries.Keep(r, func(err error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if err != nil {
			s.unkept = true
			s.holdFor(fmt.Sprintf("the delivery log cannot be written (%v): run 'notifier topics check'", err))
			release()
			return
		}
		if s.unkept {
			s.unkept = false
			s.holdFor("")
		}
		d.end(how)
		t.commit()
		release() // last: who waits for it takes what is settled then for final
		if o.saving.unseen {
			o.pump()
		}
	})
}

// tried notes an attempt for the delivery's record.
func (t turn) tried(started time.Time, took time.Duration, err error) {
	if t.o.p.Deliveries == nil {
		return
	}
	a := deliverylog.Attempt{Started: started, Duration: deliverylog.Seconds(took), Result: resultOf(err)}
	if err != nil {
		e := outcome.Classify(err)
		a.Cause, a.Detail = e.Cause, e.Detail
	}
	t.d.made.Add(a)
}
