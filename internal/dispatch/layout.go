package dispatch

import (
	"context"
	"slices"
	"time"
)

// The outbox of a channel with a single owner has one partition for each class of
// rules (alert.Alert.Class), so that a critical alert is read at once however many
// others wait. Where partitions are added, or a rule's worst severity is lowered,
// earlier alerts of a key lie in a lower partition than later ones, which must not
// overtake them:
//
//   - A partition is taken in once the lower ones have been, as far as they reached
//     when they were assigned.
//   - A lane waits for the lane of its key in a lower partition while that has
//     deliveries of its rule, or displaced ones.
//
// Where a rule's worst severity is raised, its later alerts lie lower. They wait for
// nothing: one of them may be critical.

// displaced reports whether alerts of the delivery's rule are by now written to a higher
// one of so many partitions. An alert without a class is older than classes.
func (d *delivery) displaced(partition int32, partitions int) bool {
	a := d.envelope.Alert
	return a.WorstSeverity == "" || min(a.Class(), partitions-1) > int(partition)
}

// follows reports whether a lane has to wait for what lies in lower partitions. It does
// not wait for replays.
func (q *lanes) follows(l *lane) bool {
	if !q.singleOwner || l.key.own != nil {
		return false
	}
	for _, s := range q.sources {
		if s.input.Partition >= l.source.input.Partition {
			continue
		}
		same, rule := laneKey{source: s, key: l.key.key}, l.queue[0].rule()
		for _, key := range []laneKey{same, same.besides(rule)} {
			// A lane that is tied may have all its deliveries in the message of another one.
			if lower := q.byKey[key]; lower != nil && (lower.host != nil || slices.ContainsFunc(lower.queue, func(d *delivery) bool {
				return d.envelope.Replay == nil && (d.rule() == rule || d.displaced(s.input.Partition, len(q.sources)))
			})) {
				return true
			}
		}
	}
	return false
}

// lowerWithin is how long a partition waits for the lower ones to be assigned. They
// are at the same time, unless an older version leads the group.
const lowerWithin = 10 * time.Second

// awaitLower waits until the lower partitions have been taken in.
func (a *Assignment) awaitLower(ctx context.Context) {
	if !a.outbox.lanes.singleOwner || a.source.input.Partition == 0 {
		return
	}
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for began := time.Now(); ; {
		assigned, taken := a.outbox.lower(a.source)
		if taken && (assigned == int(a.source.input.Partition) || time.Since(began) > lowerWithin) {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// lower returns how many partitions below that of s are assigned, and whether they have
// been taken in.
func (o *Dispatcher) lower(s *source) (assigned int, taken bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	taken = true
	for _, other := range o.lanes.sources {
		if other.input.Partition < s.input.Partition {
			assigned++
			taken = taken && other.partition.Reached()
		}
	}
	return assigned, taken
}
