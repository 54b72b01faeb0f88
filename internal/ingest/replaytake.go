package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/topics"
)

// take takes in one request. Anybody who may write to the topic may have made
// it: what no command of ours writes is settled at once. ends are where the
// dead-letter topics ended after the request was read, as far as that was asked.
func (w *replaying) take(ctx context.Context, r *kgo.Record, ends map[string]int64) {
	n := &request{offset: r.Offset, epoch: r.LeaderEpoch}
	w.open = append(w.open, n)
	if q, none := control.Parse(r); none == nil {
		w.takeMove(n, q)
		return
	}
	q, err := dlq.ParseRequest(r)
	var l *line
	if err == nil {
		if l = w.line(&q); l == nil {
			err = fmt.Errorf("it asks for the channel %.64q, one of too many that are not configured", q.Channel)
		}
	}
	if err != nil {
		w.log.Error("skipped a record that is not ours", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "err", err)
		w.outcomes.WithLabelValues(foreign).Inc()
		n.state = settled
		return
	}
	n.source = uint8(slices.Index(topics.All(), q.Source))
	n.version, n.rematch, n.to, n.force, n.edited = q.Version, q.Rematch, q.To, q.Force, q.Edited != nil
	n.key = w.fold.Key(w.topic(n), q.Entry)
	n.run = w.runOf(&q)
	n.run.open++
	if w.byVersion[n.of()] != nil || w.neverWas(ctx, n, ends) { // behind another request for the same, or for nothing
		w.settle(n, dropped)
		return
	}
	w.byVersion[n.of()] = n
	n.line = l
	n.line.queue = append(n.line.queue, n)
}

// of is the version that the request means.
func (n *request) of() version { return version{n.key, n.version} }

// maxLines is how many lines there may be: of our channels, and of those that
// are asked for and not configured.
const maxLines = 1000

// line returns the line that a request waits in; nil: there are too many. An
// entry of a channel that we have not waits with those whose channels the rules
// are yet to say; one that is asked to go to such a channel keeps its name, for
// what is written of it.
func (w *replaying) line(q *dlq.Request) *line {
	channel := q.Channel
	if !q.To && !w.p.Handler.p.Outboxes.Has(channel) {
		channel = ""
	}
	l := w.lines[channel]
	if l == nil && len(w.lines) < maxLines {
		l = &line{channel: channel}
		w.lines[channel] = l
	}
	return l
}

// neverWas reports whether a request means a version at which its topic has no
// record yet: whoever asks has read the entry there. While it cannot be told,
// that waits for dropStale.
func (w *replaying) neverWas(ctx context.Context, n *request, ends map[string]int64) bool {
	topic := w.topic(n)
	if w.fold.Standing(topic, n.key, n.version) != dlq.Unknown {
		return false
	}
	end, known := w.end(ctx, topic, ends)
	return known && n.version >= end
}

// end returns where a dead-letter topic ends, asked for once for each ends. One
// that is missing ends where it begins.
func (w *replaying) end(ctx context.Context, topic string, ends map[string]int64) (int64, bool) {
	if end, asked := ends[topic]; asked {
		return end, end >= 0
	}
	spans, err := w.p.Log.Spans(ctx, topic)
	switch {
	case err == nil:
		ends[topic] = spans[0].End
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		ends[topic] = 0
	default:
		ends[topic] = -1
	}
	return ends[topic], ends[topic] >= 0
}
