package dlq

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/algotrade/notifier/internal/topics"
)

// Waiting returns, by entry, the version that the newest request asks for
// among those that the daemon has not settled: what is not committed of the
// replay topic. Without that topic nothing waits.
func (r *Reader) Waiting(ctx context.Context) (map[string]int64, error) {
	topic := topics.Replay(r.group)
	waiting := make(map[string]int64)
	spans, err := r.Spans(ctx, topic)
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return waiting, nil
	case err != nil:
		return nil, fmt.Errorf("read the replay requests: %w", err)
	}
	committed, err := r.committed(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range spans {
		for at := max(s.Start, committed[s.Partition]); at < s.End; {
			records, next, err := r.Read(ctx, s.Topic, s.Partition, at, readBytes)
			if err != nil {
				return nil, fmt.Errorf("read the replay requests: %w", err)
			}
			for _, rec := range records {
				if q, err := ParseRequest(rec); err == nil && rec.Offset < s.End {
					waiting[q.Entry] = max(waiting[q.Entry], q.Version)
				}
			}
			if next <= at {
				break
			}
			at = next
		}
	}
	return waiting, nil
}

// committed returns below which offset the daemon has settled the requests.
func (r *Reader) committed(ctx context.Context) (map[int32]int64, error) {
	var offsets kadm.OffsetResponses
	for try := 0; ; try++ {
		var err error
		if offsets, err = r.admin.FetchOffsets(ctx, r.group); err == nil || errors.Is(err, kerr.GroupIDNotFound) {
			break
		}
		if try == 50 || !kerr.IsRetriable(err) { // a new cluster has no coordinator until it is asked for one
			return nil, fmt.Errorf("read how far requests are settled: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
	at := make(map[int32]int64)
	offsets.Each(func(o kadm.OffsetResponse) {
		if o.Topic == topics.Replay(r.group) && o.Err == nil {
			at[o.Partition] = o.At
		}
	})
	return at, nil
}
