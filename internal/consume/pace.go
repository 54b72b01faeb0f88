package consume

import (
	"context"
	"time"
)

// A commit follows the one before it after commitPace at the earliest, unless a
// partition has commitAt settled records of which no commit says so. What ingest
// does again after a crash is recognised by the outboxes' readers, and does not
// reach anybody: its commits have more time.
const (
	commitPace = 25 * time.Millisecond
	sourcePace = 100 * time.Millisecond
	commitAt   = 32
)

// pace says when to commit: at once after a pause, every rest while records are
// settled, at once when a commit is urgent, and every commitInterval for quiet
// progress.
type pace struct {
	rest   time.Duration
	soon   chan struct{} // size 1
	urgent chan struct{} // size 1
}

// newPace returns the pace of a member of the outboxes' group, or of the sources'.
func newPace(outboxes bool) pace {
	p := pace{rest: sourcePace, soon: make(chan struct{}, 1), urgent: make(chan struct{}, 1)}
	if outboxes {
		p.rest = commitPace
	}
	return p
}

// commit asks for a commit, within p.rest or at once.
func (p pace) commit(now bool) {
	signal(p.soon)
	if now {
		signal(p.urgent)
	}
}

// run calls commit whenever it is time, until ctx ends.
func (p pace) run(ctx context.Context, commit func()) {
	tick := time.NewTicker(commitInterval)
	defer tick.Stop()
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-p.soon:
			select {
			case <-ctx.Done():
				return
			case <-rest.C:
			case <-p.urgent:
			}
		}
		p.answered()
		commit()
		rest.Reset(p.rest)
	}
}

// answered forgets what was asked for: the commit that begins now takes it along.
func (p pace) answered() {
	select {
	case <-p.soon:
	default:
	}
	select {
	case <-p.urgent:
	default:
	}
}
