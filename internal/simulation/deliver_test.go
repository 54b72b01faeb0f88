package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/simulation/oracle"
	"github.com/algotrade/notifier/internal/topics"
)

// driver is the dispatch.Driver of one outbox of one process: work waits until
// the schedule has it end.
type driver struct {
	w       *world
	pr      *process
	channel string
	work    []dispatch.Work
	current dispatch.Work // the one that is ending
	wakeAt  time.Time
	wake    func()
	crashed bool
}

// equip gives a process its outboxes.
func (w *world) equip(pr *process) {
	pr.outboxes = make(map[string]*dispatch.Dispatcher)
	for i, c := range channels {
		d := &driver{w: w, pr: pr, channel: c}
		pr.drivers = append(pr.drivers, d)
		cfg := dispatch.Config{
			Concurrency: 1 + 2*i, Timeout: 15 * time.Second, Ambiguous: []string{dispatch.Resend, dispatch.DeadLetter}[i],
			Retry:   dispatch.Retry{Initial: 500 * time.Millisecond, Factor: 2, Max: 5 * time.Second, Attempts: 3},
			Breaker: dispatch.Breaker{Failures: 2, Open: time.Second},
		}
		if c == "desk" {
			cfg.Pace = dispatch.Pace{Rate: 2, Burst: 3}
		}
		pr.outboxes[topics.Outbox(group, c)] = dispatch.New(dispatch.Params{
			Name: c, Channel: d, Config: cfg, Uncommitted: uncommitted, Group: group, Dead: pr.dead, Outboxes: elsewhere{pr}, MaxReplays: maxReplays, Logger: w.log, Driver: d,
		})
	}
	pr.handler = dispatch.NewHandler(dispatch.HandlerParams{Outboxes: pr.outboxes, Dead: deadLog{w}, Logger: w.log})
	if last := w.commits[w.replay]; last != nil {
		pr.heard = last.At.Offset
	}
}

// deadLog is the dead-letter topic, as an owner that inherits replays reads it.
type deadLog struct{ w *world }

// LastOffsets implements dispatch.Log.
func (l deadLog) LastOffsets(_ context.Context, _ string, from int64, keys []string) (map[string]int64, error) {
	last := make(map[string]int64)
	for _, r := range l.w.dead.records {
		if r.Offset >= from && slices.Contains(keys, string(r.Key)) {
			last[string(r.Key)] = r.Offset
		}
	}
	return last, nil
}

func (d *driver) place(k dispatch.Work) oracle.Place {
	return d.w.outboxes[d.channel][k.Partition].place(k.Offset)
}

// Go implements dispatch.Driver.
func (d *driver) Go(k dispatch.Work) {
	if d.crashed {
		return
	}
	d.work = append(d.work, k)
	if k.Attempt {
		d.reach(d.place(k))
		d.w.happened(oracle.Happening{Kind: oracle.Started, By: d.pr.id, Group: topics.OutboxGroup(group), Place: d.place(k), ID: k.Delivery})
	}
}

// Now implements dispatch.Driver: the bubble's clock.
func (d *driver) Now() time.Time { return time.Now() }

// WakeAt implements dispatch.Driver.
func (d *driver) WakeAt(at time.Time, wake func()) { d.wakeAt, d.wake = at, wake }

// Draw implements dispatch.Driver.
func (d *driver) Draw(n time.Duration) time.Duration { return time.Duration(d.w.rng.Int64N(int64(n))) }

// Wait implements dispatch.Driver.
func (d *driver) Wait() {}

// end has one piece of work end.
func (d *driver) end() bool {
	if len(d.work) == 0 || d.pr.gone {
		return false
	}
	i := d.w.rng.IntN(len(d.work))
	d.current = d.work[i]
	d.work = append(d.work[:i:i], d.work[i+1:]...)
	d.current.Do()
	return true
}

// look wakes the outbox if it is time.
func (d *driver) look() bool {
	if d.pr.gone || d.wakeAt.IsZero() || time.Now().Before(d.wakeAt) {
		return false
	}
	d.wakeAt = time.Time{}
	d.wake()
	return true
}

// crash: what was sent may have been taken.
func (d *driver) crash() {
	d.crashed = true
	for _, k := range d.work {
		if d.w.chance(50) {
			d.current = k
			k.Do()
		}
	}
	d.work = nil
}

var (
	errRefused   = &outcome.Error{Cause: outcome.PayloadRefused, Detail: "422", Answered: true}
	errRecipient = &outcome.Error{Cause: outcome.RecipientRefused, Detail: "550", Answered: true}
)

// Send implements channel.Channel: the provider answers as it is in the mood
// for.
func (d *driver) Send(_ context.Context, m channel.Message) (channel.Receipt, error) {
	k, w := d.current, d.w
	d.judgeMark(m)
	answer := func(r oracle.Result, receipt channel.Receipt, err error) (channel.Receipt, error) {
		if r == oracle.Failed || r == oracle.Refused {
			delete(w.reach[d.place(k)], d.pr.id)
		}
		w.happened(oracle.Happening{Kind: oracle.Answered, By: d.pr.id, Group: topics.OutboxGroup(group), Place: d.place(k), ID: k.Delivery, Result: r})
		return receipt, err
	}
	fail := func(c outcome.Cause) (channel.Receipt, error) {
		return answer(oracle.Failed, channel.Receipt{}, outcome.Errorf(c, "not now"))
	}
	mood := w.moods[d.channel]
	if w.well {
		mood = fine
	}
	switch mood {
	case down:
		if w.chance(30) {
			return answer(oracle.Unclear, channel.Receipt{}, outcome.Errorf(outcome.Timeout, "no answer"))
		}
		return fail(outcome.Unavailable)
	case limiting:
		e := outcome.Errorf(outcome.RateLimited, "429")
		e.RetryAfter = time.Duration(w.rng.IntN(3)) * time.Second
		return answer(oracle.Failed, channel.Receipt{}, e)
	case suspending:
		return fail(outcome.Credentials)
	case flaky:
		switch w.rng.IntN(5) {
		case 0:
			return fail(outcome.Unreachable)
		case 1:
			return answer(oracle.Unclear, channel.Receipt{}, outcome.Errorf(outcome.Reset, "reset"))
		}
	}
	switch n := w.rng.IntN(100); {
	case w.well:
	case n < 8:
		return answer(oracle.Refused, channel.Receipt{}, errRefused)
	case n < 11:
		return answer(oracle.Refused, channel.Receipt{}, errRecipient)
	case n < 14:
		return answer(oracle.Partly, channel.Receipt{Refused: []channel.Refusal{{Recipient: "eve", Err: errRecipient}}}, nil)
	case n < 16:
		return answer(oracle.Deferred, channel.Receipt{Deferred: []channel.Refusal{{Recipient: "bob", Err: outcome.Errorf(outcome.Greylisted, "later")}}}, nil)
	case n < 18:
		return fail(outcome.MailboxFull)
	}
	return answer(oracle.Delivered, channel.Receipt{ID: fmt.Sprint(k.Offset)}, nil)
}

// reach notes that an owner may have sent a delivery. One that has lost its partition
// and does not know sends alerts too that came since: that is not known.
func (d *driver) reach(place oracle.Place) {
	if owner := d.w.owner(d.w.outboxes[d.channel][place.Partition]); owner == nil || owner.proc != d.pr {
		return
	}
	if d.w.reach[place] == nil {
		d.w.reach[place] = make(map[int]bool)
	}
	d.w.reach[place][d.pr.id] = true
}

// judgeMark: what another owner may have sent is marked, unless an older commit counts
// than the one that was answered. A process that is no owner knows nothing of others,
// nor does an attempt that began before it became one.
func (d *driver) judgeMark(m channel.Message) {
	place := d.place(d.current)
	l := d.w.outboxes[d.channel][place.Partition]
	if owner := d.w.owner(l); m.MayBeDuplicate || d.w.muddled[l] || owner == nil || owner.proc != d.pr || m.Now.Before(owner.since) {
		return
	}
	for by := range d.w.reach[place] {
		if by != d.pr.id {
			d.w.unmarked = append(d.w.unmarked, fmt.Sprintf("process %d sends %s of %v unmarked, which process %d may have sent", d.pr.id, m.Delivery, place, by))
		}
	}
}

var errWrite = fmt.Errorf("write dead letter: %w", errors.New("no answer"))

// deliver hands an outbox what follows in its topic.
func (w *world) deliver(p *part) bool {
	if p.assignment == nil || p.leaving || p.next >= p.log.end() {
		return false
	}
	n := min(p.log.end()-p.next, 1+int64(w.rng.IntN(6)))
	records := p.log.records[p.next : p.next+n]
	p.next += n
	return p.assignment.Take(context.Background(), p.proc.steps.Deliver(p.p, records))
}
