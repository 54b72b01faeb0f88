package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/topics"
)

// Each calls f for the entries of spans, as dlq.Reader.EachOf does. One with an
// unsettled request is in the state Waiting.
func Each(ctx context.Context, r *dlq.Reader, spans []dlq.Span, q dlq.Query, f func(*dlq.Entry) bool) error {
	requested, err := unsettled(ctx, r)
	if err != nil {
		return err
	}
	return r.EachOf(ctx, spans, q, func(e *dlq.Entry) bool {
		if version, ok := requested[e.ID]; ok && version == e.Offset && (e.State == dlq.Open || e.State == dlq.Quarantined) {
			e.State = dlq.Waiting
		}
		return f(e)
	})
}

const requestBytes = 1 << 20

// unsettled returns, by entry, the newest version that an unsettled request
// names. Without the replay topic there is none.
func unsettled(ctx context.Context, r *dlq.Reader) (map[string]int64, error) {
	topic := topics.Replay(r.Group())
	requested := make(map[string]int64)
	spans, err := r.Spans(ctx, topic)
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return requested, nil
	case err != nil:
		return nil, fmt.Errorf("read the replay requests: %w", err)
	}
	committed, err := settled(ctx, r.Admin(), r.Group())
	if err != nil {
		return nil, err
	}
	for at := max(spans[0].Start, committed); at < spans[0].End; {
		records, next, err := r.Read(ctx, topic, spans[0].Partition, at, requestBytes)
		if err != nil {
			return nil, fmt.Errorf("read the replay requests: %w", err)
		}
		for _, rec := range records {
			if q, err := ParseRequest(rec); err == nil && rec.Offset < spans[0].End {
				requested[q.Entry] = max(requested[q.Entry], q.Version)
			}
		}
		if next <= at {
			break
		}
		at = next
	}
	return requested, nil
}

// settled returns below which offset the daemon has settled the requests.
func settled(ctx context.Context, admin *kadm.Client, group string) (int64, error) {
	for try := 0; ; try++ {
		at, err := control.Settled(ctx, admin, group)
		if err == nil || try == 50 || !kerr.IsRetriable(err) { // a new cluster has no coordinator until one is looked up
			return at, err
		}
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
