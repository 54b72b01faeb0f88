package simulation

import (
	"context"

	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/topics"
)

// moveWaiting requests to move the pending alerts of one channel to another.
func (w *world) moveWaiting() bool {
	if w.moves >= 2 || w.well {
		return false
	}
	i := w.rng.IntN(len(channels))
	from, to := channels[i], channels[1-i]
	q := control.Request{From: from, To: to, TopicID: w.outboxes[from][0].id, Below: make(map[int32]int64), By: "ann"}
	for _, l := range w.outboxes[from] {
		q.Below[l.partition] = l.end()
	}
	w.moves++
	w.replay.append(q.Record(group))
	return true
}

// hear has a process take the next request to move alerts.
func (w *world) hear(pr *process) bool {
	if pr.handler == nil || pr.gone {
		return false
	}
	for pr.heard < w.replay.end() {
		q, err := control.Parse(w.replay.records[pr.heard])
		pr.heard++
		if err == nil {
			pr.outboxes[topics.Outbox(group, q.From)].Move(q)
			return true
		}
	}
	return false
}

// hearAll has a new owner read all requests before it sends from a partition, as
// dispatch.Handler ensures.
func (w *world) hearAll(pr *process) {
	for !w.is(movesNotRead) && w.hear(pr) {
	}
}

// moved reports whether all alerts that a request means have left the outbox.
func (w *world) moved(q *control.Request) bool {
	for _, l := range w.outboxes[q.From] {
		if l.id != q.TopicID {
			return true // it was deleted
		}
		if !w.movedOf(q, l) {
			return false
		}
	}
	return true
}

// movedOf reports whether a commit says that one partition has nothing left to be moved.
func (w *world) movedOf(q *control.Request, l *topicLog) bool {
	for offset := range q.Below[l.partition] {
		if c := w.commits[l]; c == nil || !c.Finished(offset) {
			return false
		}
	}
	return true
}

// elsewhere is the dispatch.Outboxes of one process: from the first record that
// is not acknowledged none is, as in a producer's buffer.
type elsewhere struct{ pr *process }

// Has implements dispatch.Outboxes.
func (e elsewhere) Has(channel string) bool { return e.pr.producer.Has(channel) }

// Put implements dispatch.Outboxes.
func (e elsewhere) Put(ctx context.Context, list []*envelope.Envelope, slow func(string)) []error {
	e.pr.broker.failed = false
	return e.pr.producer.Put(ctx, list, slow)
}
