package simulation

import (
	"log/slog"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/ingest"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/replay"
)

// replays is a model of replay.Handler in one assignment of the replay topic,
// around the real index.
type replays struct {
	index    *dlq.Index
	at, end  int64 // indexed so far; what has to be before the first request
	open     []*asked
	out      *ingest.Output // of what was forwarded; nil: nothing is under way
	closures []dlq.Closure
}

// asked is one request.
type asked struct {
	replay.Request
	position offsets.Position
	key      dlq.Key
	move     *control.Request
	state    int // 0: waiting, 1: forwarded, 2: settled
}

func newReplays(w *world, _ *part) *replays {
	return &replays{index: dlq.NewIndex(group, nil, nil, slog.New(slog.DiscardHandler)), end: w.dead.end()}
}

// indexMore indexes some more dead letters.
func (w *world) indexMore(p *part) bool {
	r := p.replays
	if r == nil || p.leaving || r.at >= w.dead.end() {
		return false
	}
	n := min(w.dead.end()-r.at, 1+int64(w.rng.IntN(6)))
	var entries []*dlq.Entry
	for _, rec := range w.dead.records[r.at : r.at+n] {
		entries = append(entries, dlq.Parse(rec))
	}
	r.index.Take(entries, map[string]int64{w.dead.topic: r.at + n})
	r.at += n
	return true
}

// requestsMore takes requests in.
func (w *world) requestsMore(p *part) bool {
	r := p.replays
	if r == nil || p.leaving || r.at < r.end || p.next >= p.log.end() {
		return false
	}
	n := min(p.log.end()-p.next, 1+int64(w.rng.IntN(3)))
	for _, rec := range p.proc.steps.Deliver(p.p, p.log.records[p.next:p.next+n]) {
		if q, err := control.Parse(rec); err == nil {
			r.open = append(r.open, &asked{move: &q, position: offsets.Position{Epoch: rec.LeaderEpoch, Offset: rec.Offset}})
			continue
		}
		q, err := replay.ParseRequest(rec)
		if err != nil {
			panic(err)
		}
		a := &asked{Request: q, position: offsets.Position{Epoch: rec.LeaderEpoch, Offset: rec.Offset}, key: r.index.Key(w.dead.topic, q.Entry)}
		for _, other := range r.open {
			if other.move == nil && other.state != 2 && other.key == a.key && other.Version == a.Version {
				a.state = 2
			}
		}
		r.open = append(r.open, a)
	}
	p.p.Release()
	p.next += n
	return true
}

// replayMore settles requests whose entry has a later record, forwards the
// next, and moves the watermark.
func (w *world) replayMore(p *part) bool {
	r := p.replays
	if r == nil || p.proc.gone {
		return false
	}
	if r.out != nil {
		settled, did := w.advance(p, r.out)
		if settled {
			r.out = nil
		}
		return did
	}
	if len(r.closures) > 0 {
		if !w.chance(15) {
			for _, c := range r.closures {
				w.appendClosing(p.proc.id, &c)
			}
			r.closures = nil
		}
		return true
	}
	if p.leaving {
		return false
	}
	moved := false
	for _, a := range r.open {
		if a.move != nil {
			if a.state != 2 && w.moved(a.move) {
				a.state, moved = 2, true
			}
			continue
		}
		status := replay.StatusOf(a.Version, r.index.Last(w.dead.topic, a.key))
		switch {
		case a.state == 2 || status == replay.Unread:
		case status != replay.Current && !w.is(requestsNotCompared):
			a.state, moved = 2, true
		case a.state == 0:
			a.state, moved = 1, true
			w.forward(p, a)
		}
		if r.out != nil {
			break // await it
		}
	}
	if w.is(forwardedIsSettled) {
		for _, a := range r.open {
			if a.state == 1 {
				a.state = 2
			}
		}
	}
	for len(r.open) > 0 && r.open[0].state == 2 {
		at := r.open[0].position
		at.Offset++
		p.p.AdvanceTo(at, 1)
		r.open, moved = r.open[1:], true
	}
	return moved
}

// forward sends an entry on its way.
func (w *world) forward(p *part, a *asked) {
	r := p.replays
	r.out = p.proc.ingest.Output(p.p)
	e := dlq.Parse(w.dead.records[a.Version])
	if e.State == dlq.Quarantined && !a.Force {
		a.state = 2
		return
	}
	again := &envelope.Replay{Entry: e.ID, Version: e.Offset, Number: e.Replays + 1, By: a.By, FirstFailed: e.FirstFailed}
	send := func(al *alert.Alert, channel, delivery string) {
		x := &envelope.Envelope{Source: e.Envelope.Source, Alert: al, Channel: channel, Delivery: delivery, Replay: again}
		x.From = offsets.Origin{Input: offsets.Input{Topic: p.log.id, Partition: 0}, From: a.position, Done: p.p.Committed(), Delivery: x.DedupID()}
		r.out.Send(x)
	}
	if e.Envelope.Alert != nil {
		again.Delivered = e.Delivered
		send(e.Envelope.Alert, e.Envelope.Channel, e.ID)
		return
	}
	if !w.fixed {
		next := e.Again("", maxReplays)
		next.Cause, next.Reason, next.Scope, next.LastFailed = outcome.NotUTF8, outcome.Undecodable, outcome.Message, time.Now()
		r.out.DeadLetter(next)
		return
	}
	src := e.Envelope.Source
	for _, al := range p.proc.rules.alerts(event.Record{Partition: src.Partition, Offset: src.Offset, Value: src.Value, Time: src.Time}) {
		p.proc.ingest.Raise(&al, p.proc.ingest.Identity(src))
		for _, c := range al.Channels {
			send(&al, c, alert.NewDelivery(al.ID, c))
		}
	}
	r.closures = append(r.closures, dlq.Closure{Topic: e.Topic, Partition: e.Partition, Key: e.Key, Closing: dlq.Closing{State: dlq.Resolved, By: a.By, At: time.Now()}})
}
