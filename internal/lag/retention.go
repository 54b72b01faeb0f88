package lag

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// retention is what a topic's configuration says about deleting; zero: it does
// not delete for that reason.
type retention struct {
	age   time.Duration
	bytes int64 // of each partition
}

// retentions are those of all topics, and how large partitions are where that
// matters.
type retentions struct {
	byTopic map[string]retention
	sizes   map[topicPart]int64
	asked   time.Time
}

// topicPart is a partition, whoever reads it.
type topicPart struct {
	topic string
	id    int32
}

// rulesFor is how long a topic's configuration is taken to stay as it is.
const rulesFor = time.Minute

func (r *retentions) of(topic string) retention { return r.byTopic[topic] }

// refresh asks for the topics' retention, now and then, and for the size of
// partitions where one of them is bounded by it. Brokers may refuse the latter
// to whom they let consume; then only the age is known.
func (r *retentions) refresh(ctx context.Context, adm *kadm.Client, names []string) error {
	if time.Since(r.asked) < rulesFor {
		return nil
	}
	configs, err := adm.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return fmt.Errorf("look up how long topics are kept: %w", err)
	}
	fresh, bounded := make(map[string]retention), kadm.TopicsSet{}
	for _, c := range configs {
		if c.Err != nil {
			continue
		}
		keep := retentionOf(c)
		fresh[c.Name] = keep
		if keep.bytes > 0 {
			bounded.Add(c.Name)
		}
	}
	r.byTopic, r.sizes, r.asked = fresh, make(map[topicPart]int64), time.Now()
	if len(bounded) == 0 {
		return nil
	}
	if dirs, err := adm.DescribeAllLogDirs(ctx, bounded); err == nil {
		dirs.Each(func(d kadm.DescribedLogDir) {
			d.Topics.Each(func(p kadm.DescribedLogDirPartition) {
				at := topicPart{p.Topic, p.Partition}
				r.sizes[at] = max(r.sizes[at], p.Size)
			})
		})
	}
	return nil
}

func retentionOf(c kadm.ResourceConfig) (keep retention) {
	deletes := true
	for _, kv := range c.Configs {
		n, err := strconv.ParseInt(kv.MaybeValue(), 10, 64)
		switch kv.Key {
		case "cleanup.policy":
			deletes = strings.Contains(kv.MaybeValue(), "delete")
		case "retention.ms":
			if err == nil && n > 0 {
				keep.age = time.Duration(min(n, int64(1<<63-1)/int64(time.Millisecond))) * time.Millisecond
			}
		case "retention.bytes":
			if err == nil && n > 0 {
				keep.bytes = n
			}
		}
	}
	if !deletes {
		return retention{}
	}
	return keep
}

// keptUntil returns when a record may be deleted at the earliest: when it is
// older than retention.ms, or when, as fast as its partition grows, more than
// retention.bytes stand behind it; zero: never. Brokers delete whole segments,
// so that it may stay for longer.
func (r *retentions) keptUntil(p topicPart, written time.Time, offset int64, w Part, rate float64, now time.Time) (until time.Time) {
	keep := r.of(p.topic)
	if keep.age > 0 {
		until = written.Add(keep.age)
	}
	size, known := r.sizes[p]
	if keep.bytes <= 0 || !known || w.End <= w.Start || size <= 0 || rate <= 0 {
		return until
	}
	each := float64(size) / float64(w.End-w.Start)
	seconds := (float64(keep.bytes) - each*float64(w.End-offset)) / (each * rate)
	if seconds > time.Duration(1<<62).Seconds() {
		return until
	}
	if full := now.Add(time.Duration(max(seconds, 0) * float64(time.Second))); until.IsZero() || full.Before(until) {
		until = full
	}
	return until
}
