package lag

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/instant"
)

// place is a partition of a group.
type place struct {
	group, topic string
	id           int32
}

// part caches the oldest record of a partition between samples.
type part struct {
	topicID string    // of the recorded instance of the topic
	first   int64     // where the search for the oldest waiting record began
	oldest  time.Time // when that record was written
	at      int64     // its offset; negative: there is none below until
	until   int64     // where the search ended
	end     int64     // the log's end in the last sample
	sampled time.Time // time of the last sample
	rate    float64   // smoothed records per second; negative: unknown
	round   int       // of the last sample
}

func (l *Sampler) part(at place, topicID string) *part {
	p := l.parts[at]
	if p == nil || p.topicID != topicID {
		p = &part{topicID: topicID, first: -1, at: -1, rate: -1}
		l.parts[at] = p
	}
	return p
}

// grow updates the rate at which the log grows.
func (p *part) grow(end int64, now time.Time) {
	if passed := now.Sub(p.sampled).Seconds(); !p.sampled.IsZero() && passed > 0 {
		rate := max(float64(end-p.end)/passed, 0)
		if p.rate < 0 {
			p.rate = rate
		}
		p.rate += (rate - p.rate) / 8
	}
	p.end, p.sampled = end, now
}

// find returns when the first record in [first, end) was written; false: there is none.
// The record is read once while it is the first. See written for implausible timestamps.
func (p *part) find(ctx context.Context, log Log, at place, first, end int64, now time.Time) (time.Time, bool, error) {
	switch {
	case p.first < 0 || first < p.first: // unknown
		p.until = first
	case first <= p.at: // still the first
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

// written returns the first plausible timestamp of the records, else now.
func written(records []*kgo.Record, now time.Time) time.Time {
	for _, r := range records {
		if instant.Plausible(r.Timestamp, now) {
			return r.Timestamp
		}
	}
	return now
}

// firstFrom returns the first record in [from, end) and those read with it; none: there is
// none below until.
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

// Oldest returns when the oldest waiting record of a topic was written; zero: none waits.
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
