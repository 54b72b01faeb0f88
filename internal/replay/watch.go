package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
)

const (
	// dropLook is the interval of looks at the requests that the daemon has settled.
	dropLook = 250 * time.Millisecond
	// presentLook is the interval of looks for a notifier.
	presentLook = 10 * time.Second
	// blindFor is how long reading dead letters may fail before the run ends.
	blindFor = time.Minute
	// retryAfter is the pause after such a failure.
	retryAfter = time.Second
)

// watcher reads the outcomes of a run's entries.
type watcher struct {
	run    *Runner
	tally  *tally
	tail   *dlq.Tail
	topics []string
	looked time.Time // at committed offset and ends
	// committed is the offset below which requests are settled, ends are the ends of the
	// dead-letter topics after that; nil: the tail has reached them.
	committed int64
	ends      []dlq.Span
}

// watch reads the outcomes of the run's entries until ctx ends.
func (r *Runner) watch(ctx context.Context, t *tally) error {
	w := watcher{run: r, tally: t, tail: dlq.NewTail(r.Client, r.Spans)}
	defer w.tail.Close()
	for _, s := range r.Spans {
		w.topics = append(w.topics, s.Topic)
	}
	for saw := time.Now(); ; {
		err := w.step(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			saw = time.Now()
			continue
		case time.Since(saw) > blindFor || !kerr.IsRetriable(err) && !kgo.IsRetryableBrokerErr(err):
			return fmt.Errorf("cannot read the outcomes of the requests: %w", err)
		}
		if !sleep(ctx, retryAfter) {
			return nil
		}
	}
}

// step reads changes, and every dropLook what is settled.
func (w *watcher) step(ctx context.Context) error {
	entries, err := w.tail.Poll(ctx, dropLook)
	for _, e := range entries {
		if again, stops := w.tally.see(e); again {
			w.run.Observer.Again(e, stops)
		}
	}
	if err != nil {
		return err
	}
	if w.ends == nil && time.Since(w.looked) >= dropLook {
		if w.committed, err = settled(ctx, w.run.Reader.Admin(), w.run.Reader.Group()); err != nil {
			return err
		}
		if w.ends, err = w.run.Reader.Spans(ctx, w.topics...); err != nil {
			return err
		}
		w.looked = time.Now()
	}
	if w.ends != nil && w.tail.Reached(w.ends) {
		w.tally.drop(w.committed)
		w.ends = nil
	}
	return nil
}

// lookForNotifier reports whether a notifier runs if that is not what was known before,
// and returns it; nil: unknown.
func (r *Runner) lookForNotifier(ctx context.Context, before *bool) *bool {
	now, err := r.present(ctx)
	if err != nil {
		return before
	}
	if before == nil || *before != now {
		r.Observer.Running(now)
	}
	return &now
}

// present reports whether the group that reads the requests has members.
func (r *Runner) present(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	groups, err := r.Reader.Admin().DescribeGroups(ctx, r.Reader.Group())
	if err != nil {
		return false, err
	}
	g := groups[r.Reader.Group()]
	if errors.Is(g.Err, kerr.GroupIDNotFound) {
		return false, nil
	}
	return len(g.Members) > 0, g.Err
}
