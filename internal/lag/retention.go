package lag

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// retention is a topic's retention; zero: unlimited.
type retention struct {
	age   time.Duration
	bytes int64 // of each partition
}

// retentions has the retention of topics, and the sizes of partitions with
// retention.bytes.
type retentions struct {
	byTopic map[string]retention
	sizes   map[topicPart]int64
	asked   time.Time
}

// topicPart is a partition.
type topicPart struct {
	topic string
	id    int32
}

// rulesFor is how long topic configurations are cached.
const rulesFor = time.Minute

func (r *retentions) of(topic string) retention { return r.byTopic[topic] }

// refresh reads the topics' retention if the cache has expired, and with retention.bytes
// the sizes of partitions. Without the right to read sizes, only the age is used.
func (r *retentions) refresh(ctx context.Context, adm *kadm.Client, names []string) error {
	if time.Since(r.asked) < rulesFor {
		return nil
	}
	configs, err := adm.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return fmt.Errorf("read the retention of topics: %w", err)
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

// keptUntil returns when retention may delete a record at the earliest: when it is older
// than retention.ms, or when, at the current rate, retention.bytes follow it; zero: never.
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
