package replay

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/topics"
)

// take takes one request. Records that no command of ours writes are settled at once.
// ends caches the ends of the dead-letter topics after the request was read.
func (a *assignment) take(ctx context.Context, r *kgo.Record, ends map[string]int64) {
	q := &request{offset: r.Offset, epoch: r.LeaderEpoch}
	a.open = append(a.open, q)
	if move, none := control.Parse(r); none == nil {
		a.moves.take(q, move)
		return
	}
	if again, none := ParseResend(r); none == nil {
		a.takeResend(q, again)
		return
	}
	parsed, err := ParseRequest(r)
	if err == nil {
		if q.line = a.lineOf(&parsed); q.line == nil {
			err = fmt.Errorf("it asks for the channel %.64q, one of too many that are not configured", parsed.Channel)
		}
	}
	if err != nil {
		a.log.Error("skipped a record that is not ours", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "err", err)
		a.outcomes.WithLabelValues(foreign).Inc()
		q.state = done
		return
	}
	q.topic = topics.DeadLetter(a.p.Group, parsed.Source)
	q.version = version{a.index.Key(q.topic, parsed.Entry), parsed.Version}
	q.rematch, q.to, q.force, q.edited = parsed.Rematch, parsed.To, parsed.Force, parsed.Edited != nil
	q.run = a.runOf(&parsed)
	q.run.open++
	if a.byVersion[q.version] != nil || a.neverWas(ctx, q, ends) { // a duplicate request, or one for no entry
		a.settle(q, dropped)
		return
	}
	a.byVersion[q.version] = q
	q.line.queue = append(q.line.queue, q)
}

// maxLines is how many lines there may be, for configured channels and others.
const maxLines = 1000

// lineOf returns the line of a request; nil: there are too many. An entry whose channel
// is not configured has the line of those whose channels the rules decide, unless the
// request names that channel.
func (a *assignment) lineOf(q *Request) *line {
	channel := q.Channel
	if !q.To && !a.p.Channels.Has(channel) {
		channel = ""
	}
	l := a.lines[channel]
	if l == nil && len(a.lines) < maxLines {
		l = &line{channel: channel}
		a.lines[channel] = l
	}
	return l
}

// neverWas reports whether the version of a request is not below the end of its topic, so
// that no command can have read it. If that is unknown, dropStale decides later.
func (a *assignment) neverWas(ctx context.Context, q *request, ends map[string]int64) bool {
	return q.resend == nil && a.status(q) == Unread && q.version.offset >= a.end(ctx, q.topic, ends)
}

// end returns the end of a dead-letter topic, which ends caches: 0 if it is missing, the
// highest offset if it is unknown.
func (a *assignment) end(ctx context.Context, topic string, ends map[string]int64) int64 {
	if end, known := ends[topic]; known {
		return end
	}
	spans, err := a.reader.Spans(ctx, topic)
	switch {
	case err == nil:
		ends[topic] = spans[0].End
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		ends[topic] = 0
	default:
		ends[topic] = math.MaxInt64
	}
	return ends[topic]
}

// dropStale drops requests for versions that do not exist because the topic was
// recreated. Of each line it checks the first ones, which block the others.
func (a *assignment) dropStale(ctx context.Context) {
	for _, source := range topics.All() {
		topic := topics.DeadLetter(a.p.Group, source)
		if generation := a.index.Generation(topic); generation != a.generations[topic] {
			a.generations[topic] = generation
			delete(a.chunk, topic) // its offsets mean other entries now
		}
	}
	ends := make(map[string]int64)
	stale := func(q *request) bool {
		drop := a.neverWas(ctx, q, ends)
		if drop {
			a.settle(q, dropped)
		}
		return drop
	}
	for _, l := range a.lines {
		i := 0
		for i < len(l.queue) && stale(l.queue[i]) {
			i++
		}
		l.queue = l.queue[i:]
	}
	a.forwarded = slices.DeleteFunc(a.forwarded, stale)
}
