package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/topics"
)

// Each calls f for the entries of spans, as dlq.Reader.EachOf does; those with an
// unsettled request are in state Waiting.
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

// unsettled returns, by entry, the newest version that an unsettled request names.
// Without the replay topic there are none.
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
	spans[0].Start = max(spans[0].Start, committed)
	err = r.Scan(ctx, spans[0], func(rec *kgo.Record) bool {
		if q, err := ParseRequest(rec); err == nil {
			requested[q.Entry] = max(requested[q.Entry], q.Version)
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("read the replay requests: %w", err)
	}
	return requested, nil
}

// settled returns the offset below which the daemon has settled the requests.
func settled(ctx context.Context, admin *kadm.Client, group string) (int64, error) {
	for try := 0; ; try++ {
		at, err := control.Settled(ctx, admin, group)
		if err == nil || try == 50 || !kerr.IsRetriable(err) { // a new cluster has no coordinator until one is looked up
			return at, err
		}
		if !sleep(ctx, 200*time.Millisecond) {
			return 0, context.Cause(ctx)
		}
	}
}
