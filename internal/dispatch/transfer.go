package dispatch

import (
	"log/slog"
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/dlq"
)

// begin starts to put the batch into the other channels' outboxes.
func (t transfer) begin() {
	t.s.moving = len(t.batch)
	t.s.inFlight++
	first := t.batch[0]
	w := first.l.work(first.d, t.run)
	w.Topic, w.Partition = t.s.input.Topic, t.s.input.Partition
	t.o.p.Driver.Go(w)
}

// holdFor says what holds up the batch; empty: nothing. The partition of a fallback is not
// held up: it is the channel that does not send.
func (t transfer) holdFor(reason string) {
	switch {
	case t.batch[0].why == nil:
		t.s.holdFor(reason)
	case reason != "":
		t.o.log.Warn("fallback failed, alerts wait for the channel", "to", t.batch[0].to, "problem", reason)
	}
}

// waited is what a lane waited for before one of its deliveries was taken out.
type waited struct {
	head *delivery // its first; nil: it did not wait
	due  time.Time
	wait wait
}

// hold takes the delivery's lane out of its turn until the transfer has ended.
func (m *moving) hold() {
	l := m.l
	if l.state == flying {
		return
	}
	if l.state == waiting {
		m.was = waited{l.queue[0], l.due, l.wait}
	}
	m.o.lanes.unlist(l)
	l.state = flying
}

// resumed continues with a lane after a transfer to the fallback channel: its first
// delivery waits on for what it waited for. failed is the lane's first delivery that is
// not acknowledged there; nil: all are. false: it was another transfer.
func (t transfer) resumed(l *lane, failed *moving) bool {
	i := slices.IndexFunc(t.batch, func(m *moving) bool { return m.l == l })
	m := t.batch[i]
	if m.why == nil {
		return false
	}
	if failed != nil && dlq.TooLarge(failed.err) {
		failed.d.stays = true
		t.o.tell(slog.LevelWarn, "alert too large for the outbox of the fallback channel, it waits", failed.d, "to", failed.to)
	}
	if m.was.head == l.queue[0] {
		t.o.lanes.backoffs.wait(l, m.was.due, m.was.wait)
	} else {
		t.o.lanes.enqueue(l)
	}
	return true
}
