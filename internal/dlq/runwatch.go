package dlq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
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
)

// watch sees what becomes of the run's entries until ctx ends.
func (r *Runner) watch(ctx context.Context, t *tally) error {
	spans := slices.Clone(r.Spans)
	saw := time.Now()
	var looked time.Time
	idle := func() bool {
		saw = time.Now()
		if saw.Sub(looked) < dropLook {
			return true
		}
		// All that stood there when this offset was asked for is read by the next look.
		if committed, err := r.Reader.committed(ctx); err == nil {
			looked = time.Now()
			t.drop(committed[0])
		}
		return true
	}
	for {
		err := r.Reader.Watch(ctx, spans, func(c Change) bool {
			saw = time.Now()
			for i := range spans { // from where to go on after an error
				if spans[i].Topic == c.Topic {
					spans[i].End = c.Offset + 1
				}
			}
			if e, known := t.see(c); e != nil {
				r.Observer.Again(e, known)
			}
			return true
		}, idle)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && (!stale(err) || time.Since(saw) > blindFor):
			return fmt.Errorf("cannot see what becomes of the requests: %w", err)
		}
		select {
		case <-time.After(failWait):
		case <-ctx.Done():
			return nil
		}
	}
}

// look reports whether there is a notifier, and tells. Where that cannot be
// known it is taken for granted.
func (r *Runner) look(ctx context.Context) bool {
	there, err := r.present(ctx)
	if err != nil {
		return true
	}
	r.Observer.Running(there)
	return there
}

func (r *Runner) keepLooking(ctx context.Context, there bool) {
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
	groups, err := r.Reader.admin.DescribeGroups(ctx, r.Reader.group)
	if err != nil {
		return false, err
	}
	g := groups[r.Reader.group]
	if errors.Is(g.Err, kerr.GroupIDNotFound) {
		return false, nil
	}
	return len(g.Members) > 0, g.Err
}
