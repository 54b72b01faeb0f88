package simulation

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/simulation/oracle"
	"github.com/algotrade/notifier/internal/topics"
)

// batch is what one poll of a source has raised: package match's, step by step.
type batch struct {
	records []*kgo.Record
	writes  []*write
	dead    []*dlq.Entry
	raised  [][]string // by record: ids of deliveries
	buried  []string   // by record: the id of its dead letter
}

// write is one outbox record on its way.
type write struct {
	envelope *envelope.Envelope
	state    writeState
}

type writeState int

const (
	buffered writeState = iota
	appended            // by the broker; the promise is not in
	acked
	failed
)

// buffer is what a producer holds for one outbox partition, in order.
type buffer struct {
	log    *topicLog
	writes []*write
	record []*kgo.Record
}

// alerts are what the rules of a version say of an event.
func (w *world) alerts(version int, s envelope.Source) []alert.Alert {
	if bytes.HasPrefix(s.Value, []byte("quiet")) {
		return nil
	}
	var all []alert.Alert
	add := func(rule string, channels []string, change func(*alert.Alert)) {
		a := alert.Alert{
			Rule: rule, Severity: alert.Warning, Key: []string{fmt.Sprint(s.Offset % 3)}, EventTime: s.Time, Channels: channels,
			Title: alert.Text{{Text: rule}},
		}
		if change != nil {
			change(&a)
		}
		all = append(all, a)
	}
	n := int(s.Offset) + version
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

func poison(r *kgo.Record) bool { return bytes.HasPrefix(r.Value, []byte("poison")) }

func (w *world) identity(s envelope.Source) alert.Source {
	id := alert.Source{Cluster: cluster, Topic: s.TopicID, Partition: s.Partition, Offset: s.Offset}
	if w.is(oneIDForTwo) {
		id.Partition = 0
	}
	return id
}

// poll takes a batch from a source and produces what it raises.
func (w *world) poll(p *part) bool {
	if p.leaving || p.batch != nil || p.next >= p.log.end() {
		return false
	}
	n := min(p.log.end()-p.next, 1+int64(w.rng.IntN(4)))
	b := &batch{records: p.proc.steps.Deliver(p.p, p.log.records[p.next:p.next+n])}
	p.next += n
	p.batch = b
	done := p.p.Committed()
	for _, r := range b.records {
		src := envelope.Source{Topic: r.Topic, TopicID: p.log.id, Partition: r.Partition, Offset: r.Offset, Time: r.Timestamp, Key: r.Key, Value: r.Value, Headers: r.Headers}
		var ids []string
		entry := ""
		if poison(r) && !w.mended {
			entry = alert.NewEntry(group, w.identity(src))
			b.dead = append(b.dead, dlq.Failed(entry, &envelope.Envelope{Source: src}, dlq.Failure{Cause: outcome.NotUTF8, First: time.Now()}, maxReplays))
		} else {
			from := offsets.Write{Input: offsets.Input{Topic: p.log.id, Partition: r.Partition}, From: offsets.Position{Epoch: r.LeaderEpoch, Offset: r.Offset}, Done: done}
			if w.is(doneTooFar) {
				from.Done = offsets.Position{Epoch: r.LeaderEpoch, Offset: r.Offset + 1}
			}
			for _, a := range w.alerts(p.proc.rules, src) {
				a.ID = alert.NewID(group, w.identity(src), a.Rule)
				for _, c := range a.Channels {
					e := &envelope.Envelope{Source: src, Alert: &a, Channel: c, Delivery: alert.NewDelivery(a.ID, c), From: from}
					e.From.Delivery = e.Delivery
					ids = append(ids, e.Delivery)
					b.writes = append(b.writes, w.send(p.proc, &write{envelope: e}))
				}
			}
		}
		b.raised, b.buried = append(b.raised, ids), append(b.buried, entry)
	}
	if w.is(committedUnacknowledged) {
		w.advance(p)
	}
	return true
}

// send puts a write into its producer's buffer, with the partition count that
// the process knows.
func (w *world) send(pr *process, x *write) *write {
	r := outbox.Record(x.envelope, topics.Outbox(group, x.envelope.Channel), pr.counts[x.envelope.Channel])
	l := w.outboxes[x.envelope.Channel][r.Partition]
	x.state = buffered
	i := slices.IndexFunc(pr.buffers, func(b *buffer) bool { return b.log == l })
	if i < 0 {
		i = len(pr.buffers)
		pr.buffers = append(pr.buffers, &buffer{log: l})
	}
	b := pr.buffers[i]
	b.writes, b.record = append(b.writes, x), append(b.record, r)
	return x
}

// arrive is a broker answering the first write of a buffer: it takes it, or
// refuses, and then the client fails the whole buffer.
func (w *world) arrive(pr *process) bool {
	if len(pr.buffers) == 0 {
		return false
	}
	b := pr.buffers[w.rng.IntN(len(pr.buffers))]
	if len(b.writes) == 0 {
		return false
	}
	gone := w.outboxes[b.writes[0].envelope.Channel][b.log.partition] != b.log // deleted, and made again
	refused := w.chance(10) || gone
	if !gone && (!refused || w.chance(30)) { // taken, though the client may not hear of it
		w.appendOutbox(pr.id, b.log, b.record[0])
		b.writes[0].state = appended
	}
	if refused {
		for _, x := range b.writes {
			x.state = failed
		}
		b.writes, b.record = nil, nil
		for _, c := range channels {
			pr.counts[c] = int32(len(w.outboxes[c]))
		}
	} else {
		b.writes, b.record = b.writes[1:], b.record[1:]
	}
	w.bury(pr)
	return true
}

// acknowledge has the first promise that is due come in.
func (w *world) acknowledge(writes []*write) bool {
	for _, x := range writes {
		if x.state == appended {
			x.state = acked
			return true
		}
	}
	return false
}

// again produces what failed again, in order, once all promises are in. It
// reports whether everything is acknowledged.
func (w *world) again(pr *process, writes []*write) (all, did bool) {
	all = true
	for _, x := range writes {
		if x.state == buffered || x.state == appended {
			return false, false
		}
		all = all && x.state == acked
	}
	if all {
		return true, false
	}
	for _, x := range writes {
		if x.state == failed {
			w.send(pr, x)
		}
	}
	return false, true
}

// settle brings a batch nearer to its end.
func (w *world) settle(p *part) bool {
	b := p.batch
	if b == nil || p.proc.gone {
		return false
	}
	if w.acknowledge(b.writes) {
		return true
	}
	if all, did := w.again(p.proc, b.writes); !all {
		return did
	}
	if len(b.dead) > 0 && !w.writeDead(p.proc.id, b.dead) {
		return true
	}
	b.dead = nil
	w.advance(p)
	return true
}

// advance: everything the batch has raised is safe.
func (w *world) advance(p *part) {
	b := p.batch
	for i, r := range b.records {
		w.happened(oracle.Happening{Kind: oracle.Matched, By: p.proc.id, Place: p.log.place(r.Offset), IDs: b.raised[i], Entry: b.buried[i]})
	}
	p.p.Advance(b.records[len(b.records)-1], true)
	p.batch = nil
}

// writeDead writes dead letters; they may arrive without our hearing of it.
func (w *world) writeDead(by int, entries []*dlq.Entry) bool {
	if w.is(unwrittenDeadLetter) {
		return true
	}
	ok := !w.chance(15)
	if ok || w.chance(50) {
		for _, e := range entries {
			e.Offset = w.letters.end()
			w.appendEntry(by, e)
		}
	}
	return ok
}
