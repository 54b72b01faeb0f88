package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/topics"
)

// take takes in one request. Anybody who may write to the topic may have made
// it: what no command of ours writes is settled at once. ends are where the
// dead-letter topics ended after the request was read, as far as that was asked.
func (a *assignment) take(ctx context.Context, r *kgo.Record, ends map[string]int64) {
	q := &request{offset: r.Offset, epoch: r.LeaderEpoch}
	a.open = append(a.open, q)
	if move, none := control.Parse(r); none == nil {
		a.moves.take(q, move)
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
	if a.byVersion[q.version] != nil || a.neverWas(ctx, q, ends) { // behind another request for the same, or for nothing
		a.settle(q, dropped)
		return
	}
	a.byVersion[q.version] = q
	q.line.queue = append(q.line.queue, q)
}

// maxLines is how many lines there may be: of our channels, and of those that
// are asked for and not configured.
const maxLines = 1000

// lineOf returns the line that a request waits in; nil: there are too many. An
// entry of a channel that we have not waits with those whose channels the rules
// are yet to say; one that is asked to go to such a channel keeps its name, for
// what is written of it.
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

// neverWas reports whether a request names a version at which its topic has no
// record yet: whoever asks has read the entry there. While it cannot be told,
// that waits for dropStale.
func (a *assignment) neverWas(ctx context.Context, q *request, ends map[string]int64) bool {
	if a.status(q) != Unread {
		return false
	}
	end, known := a.end(ctx, q.topic, ends)
	return known && q.version.offset >= end
}

// end returns where a dead-letter topic ends, asked for once for each ends. One
// that is missing ends where it begins.
func (a *assignment) end(ctx context.Context, topic string, ends map[string]int64) (int64, bool) {
	if end, asked := ends[topic]; asked {
		return end, end >= 0
	}
	spans, err := a.reader.Spans(ctx, topic)
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

// dropStale drops requests that name a version which never was: of a topic
// that was recreated since. Those that wait are looked at from the first of
// each line on, which is what holds up the others.
func (a *assignment) dropStale(ctx context.Context) {
	recreated := make(map[string]bool)
	ends := make(map[string]int64)
	for _, source := range topics.All() {
		topic := topics.DeadLetter(a.p.Group, source)
		generation := a.index.Generation(topic)
		recreated[topic] = generation != a.generations[topic]
		a.generations[topic] = generation
		if recreated[topic] { // its offsets are other entries now
			delete(a.chunk, topic)
		}
	}
	stale := func(q *request) bool {
		if a.status(q) != Unread {
			return false
		}
		end, known := a.end(ctx, q.topic, ends)
		if known && (recreated[q.topic] || q.version.offset >= end) {
			a.settle(q, dropped)
			return true
		}
		return false
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
