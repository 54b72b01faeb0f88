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
	// dropLook is how long passes between two looks at what the daemon has
	// settled.
	dropLook = 250 * time.Millisecond
	// presentLook is how long passes between two looks for a notifier.
	presentLook = 10 * time.Second
	// blindFor is how long the dead letters may be unreadable before a run ends
	// for that reason.
	blindFor = time.Minute
	// retryAfter is how long passes before they are read again.
	retryAfter = time.Second
)

// watcher sees what becomes of a run's entries.
type watcher struct {
	run    *Runner
	tally  *tally
	tail   *dlq.Tail
	topics []string
	looked time.Time // when it was last asked what is settled
	look   *look     // an answer to that, until the tail has come as far
}

// look is how far requests were settled, and what the dead-letter topics held
// after that.
type look struct {
	committed int64
	ends      []dlq.Span
}

// watch sees what becomes of the run's entries until ctx ends.
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
			return fmt.Errorf("cannot see what becomes of the requests: %w", err)
		}
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
			return nil
		}
	}
}

// step takes changes into account, and what is settled where it is time for
// that.
func (w *watcher) step(ctx context.Context) error {
	changes, err := w.tail.Poll(ctx, dropLook)
	for _, c := range changes {
		if e, known := w.tally.see(c); e != nil {
			w.run.Observer.Again(e, known)
		}
	}
	if err != nil {
		return err
	}
	if w.look == nil && time.Since(w.looked) >= dropLook {
		committed, err := settled(ctx, w.run.Reader.Admin(), w.run.Reader.Group())
		if err != nil {
			return err
		}
		ends, err := w.run.Reader.Spans(ctx, w.topics...)
		if err != nil {
			return err
		}
		w.look, w.looked = &look{committed, ends}, time.Now()
	}
	if w.look != nil && w.tail.Reached(w.look.ends) {
		w.tally.drop(w.look.committed)
		w.look = nil
	}
	return nil
}

// lookForNotifier tells, until ctx ends, whenever it changes whether a notifier
// is there to handle the requests.
func (r *Runner) lookForNotifier(ctx context.Context, there bool) {
	every := r.LookEvery
	if every == 0 {
		every = presentLook
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if now, err := r.present(ctx); err == nil && now != there {
			there = now
			r.Observer.Running(there)
		}
	}
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
