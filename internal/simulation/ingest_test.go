package simulation

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/simulation/oracle"
)

// rules is the ingest.Decoder and the ingest.Rules of one process.
type rules struct {
	w       *world
	by      int
	version int
}

// Decode implements ingest.Decoder.
func (m rules) Decode(r event.Record) (event.Event, error) {
	if m.w.chance(2) { // a batch that takes long is settled in parts
		time.Sleep(time.Second)
	}
	if bytes.HasPrefix(r.Value, []byte("poison")) && !m.w.fixed {
		m.w.happened(oracle.Happening{Kind: oracle.Matched, By: m.by, Place: m.place(r), Entry: alert.NewEntry(group, m.w.identity(r))})
		return event.Event{}, outcome.Errorf(outcome.NotUTF8, "poison")
	}
	return event.Event{Record: r}, nil
}

// Match implements ingest.Rules.
func (m rules) MatchKnown(ev *event.Event, _ time.Time, _ *rule.Resolved) ([]alert.Alert, error) {
	alerts := m.alerts(ev.Record)
	var ids []string
	for _, a := range alerts {
		for _, c := range a.Channels {
			ids = append(ids, alert.NewDelivery(alert.NewID(group, m.w.identity(ev.Record), a.Rule), c))
		}
	}
	m.w.happened(oracle.Happening{Kind: oracle.Matched, By: m.by, Place: m.place(ev.Record), IDs: ids})
	return alerts, nil
}

func (m rules) place(r event.Record) oracle.Place { return m.w.sources[r.Partition].place(r.Offset) }

// alerts are what this version of the rules says of a record.
func (m rules) alerts(r event.Record) []alert.Alert {
	if bytes.HasPrefix(r.Value, []byte("quiet")) {
		return nil
	}
	var all []alert.Alert
	add := func(rule string, channels []string, change func(*alert.Alert)) {
		a := alert.Alert{
			Rule: rule, Severity: alert.Warning, Key: []string{fmt.Sprint(r.Offset % 3)}, EventTime: r.Time, Channels: channels,
			Title: alert.Text{{Text: rule}},
		}
		if change != nil {
			change(&a)
		}
		all = append(all, a)
	}
	n := int(r.Offset) + m.version
	if n%3 != 0 {
		add("plain", []string{"desk", "hook"}, nil)
	}
	if n%4 == 0 {
		add("throttled", []string{"desk"}, func(a *alert.Alert) { a.Throttle = 20 * time.Second })
	}
	if n%5 == 0 {
		add("short-lived", []string{"hook"}, func(a *alert.Alert) { a.Expire = time.Minute })
	}
	return all
}

func (w *world) identity(r event.Record) alert.Source {
	return alert.Source{Cluster: cluster, Topic: w.sources[r.Partition].id, Partition: r.Partition, Offset: r.Offset}
}

// poll hands a batch from a source to the handler.
func (w *world) poll(p *part) bool {
	if p.leaving || p.batch != nil || p.next >= p.log.end() {
		return false
	}
	n := min(p.log.end()-p.next, 1+int64(w.rng.IntN(4)))
	p.batch = p.proc.ingest.Begin(p.p, p.proc.steps.Deliver(p.p, p.log.records[p.next:p.next+n]), nil)
	p.next += n
	return true
}

// settle brings a batch nearer to its end.
func (w *world) settle(p *part) bool {
	if p.batch == nil || p.proc.gone {
		return false
	}
	settled, did := w.advance(p, p.batch)
	if settled {
		p.batch = nil
	}
	return did
}

// output is a batch, or what replays have led to.
type output interface {
	Step(ctx context.Context) bool
}

// advance takes a step of an output, and reports whether that has done anything.
func (w *world) advance(p *part, o output) (settled, did bool) {
	effects := func() int { return len(w.history) + p.proc.broker.writes + p.proc.dead.calls }
	before := effects()
	settled = o.Step(p.ctx)
	return settled, settled || effects() != before
}

// deadLetters is the ingest.DeadLetters and the dispatch.DeadLetters of one
// process.
type deadLetters struct {
	w     *world
	by    int
	calls int
}

// Write implements ingest.DeadLetters.
func (d *deadLetters) Write(ctx context.Context, entries ...*dlq.Entry) error {
	d.calls++
	ok := !d.w.chance(15) && ctx.Err() == nil
	if ok || d.w.chance(50) { // they may arrive without our hearing of it
		for _, e := range entries {
			e.Offset = d.w.dead.end()
			d.w.appendEntry(d.by, e)
		}
	}
	if ok {
		return nil
	}
	return errWrite
}

// CloseEntries implements ingest.DeadLetters.
func (d *deadLetters) CloseEntries(_ context.Context, closures ...*dlq.Closure) error {
	d.calls++
	ok := !d.w.chance(15)
	if ok || d.w.chance(50) {
		for _, c := range closures {
			d.w.appendClosing(d.by, c)
		}
	}
	if ok {
		return nil
	}
	return errWrite
}
