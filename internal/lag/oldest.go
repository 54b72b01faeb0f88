package lag

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/instant"
)

// place is a partition that a group reads.
type place struct {
	group, topic string
	id           int32
}

// part is what is remembered of a partition between two looks.
type part struct {
	topicID string    // the instance of the topic that all this is about
	first   int64     // where the oldest waiting record was searched
	oldest  time.Time // when it was written, as far as its timestamp can be one
	at      int64     // where it was found; below zero: there is none up to until
	until   int64     // how far it was searched
	end     int64     // the log's end at the last look, and when that was
	looked  time.Time
	rate    float64 // records a second that come in, smoothed; below zero: not known
	seen    int     // the last look that it was part of
}

func (l *Looker) part(at place, topicID string) *part {
	p := l.parts[at]
	if p == nil || p.topicID != topicID {
		p = &part{topicID: topicID, first: -1, at: -1, rate: -1}
		l.parts[at] = p
	}
	return p
}

// grow keeps account of how fast the log grows.
func (p *part) grow(end int64, now time.Time) {
	if passed := now.Sub(p.looked).Seconds(); !p.looked.IsZero() && passed > 0 {
		rate := max(float64(end-p.end)/passed, 0)
		if p.rate < 0 {
			p.rate = rate
		}
		p.rate += (rate - p.rate) / 8
	}
	p.end, p.looked = end, now
}

// find returns when the first record from first on was written; false: there is
// none up to end. It is read once, as long as it stays the first. Where its
// timestamp can be no time, that of the next one counts which was read with it,
// else now, when it was first seen.
func (p *part) find(ctx context.Context, log Log, at place, first, end int64, now time.Time) (time.Time, bool, error) {
	switch {
	case p.first < 0 || first < p.first: // nothing is known
		p.until = first
	case first <= p.at: // nothing stands between
		return p.oldest, true, nil
	default:
		p.until = max(first, p.until)
	}
	p.first, p.at, p.oldest = first, -1, time.Time{}
	found, until, err := firstFrom(ctx, log, at.topic, at.id, p.until, end)
	if err != nil {
		return time.Time{}, false, err
	}
	p.until = until
	if len(found) == 0 {
		return time.Time{}, false, nil
	}
	p.at, p.oldest, p.until = found[0].Offset, written(found, now), found[0].Offset
	return p.oldest, true, nil
}

// written returns when the first of these records was written: the first
// timestamp that can be a time.
func written(records []*kgo.Record, now time.Time) time.Time {
	for _, r := range records {
		if instant.Plausible(r.Timestamp, now) {
			return r.Timestamp
		}
	}
	return now
}

// firstFrom returns the first record at an offset or above it, below end, with
// those that were read with it; none: there is none as far as until.
func firstFrom(ctx context.Context, in Log, topic string, id int32, from, end int64) (found []*kgo.Record, until int64, err error) {
	for from < end {
		records, next, err := in.Read(ctx, topic, id, from, 1)
		if err != nil {
			return nil, from, err
		}
		if i := slices.IndexFunc(records, func(r *kgo.Record) bool { return r.Offset >= from }); i >= 0 {
			return records[i:], from, nil
		}
		if next <= from {
			break
		}
		from = next
	}
	return nil, from, nil
}

// Oldest returns when the oldest record that waits in a topic was written; zero:
// none waits.
func Oldest(ctx context.Context, in Log, topic string, p Partitions) (oldest time.Time, err error) {
	now := time.Now()
	for id, part := range p.Parts {
		if part.Waiting == 0 {
			continue
		}
		found, _, err := firstFrom(ctx, in, topic, id, part.First, part.End)
		if err != nil {
			return oldest, fmt.Errorf("read the oldest record of %s: %w", topic, err)
		}
		if len(found) > 0 {
			oldest = earlier(oldest, written(found, now))
		}
	}
	return oldest, nil
}
