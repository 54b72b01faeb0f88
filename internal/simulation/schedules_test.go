package simulation

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/simulation/oracle"
)

var (
	schedules = flag.Int("schedules", 1000, "how many schedules are run")
	seed      = flag.Uint64("seed", 0, "run this schedule alone, and print what happened")
)

// step does one thing that can be done.
func (w *world) step() {
	for range 200 {
		if w.try(w.rng.IntN(100)) {
			return
		}
	}
}

// try does the thing of this number in a hundred, and reports whether there was
// anything to do.
func (w *world) try(n int) bool {
	switch {
	case n < 6:
		return w.produce()
	case n < 13:
		return w.assign()
	case n < 17:
		return w.pass()
	case n < 18:
		return w.mood()
	case n < 19:
		return w.rng.IntN(3) == 0 && w.discard()
	case n < 21:
		return w.request()
	case n < 22 && w.rng.IntN(4) == 0:
		return w.moveWaiting()
	case n < 22:
		return w.rare()
	}
	if len(w.processes) == 0 {
		return false
	}
	pr := w.processes[w.rng.IntN(len(w.processes))]
	switch {
	case n < 28:
		return w.arrive(pr)
	case n < 34:
		return pr.broker.acknowledge()
	case n < 39:
		return w.takeCommit(pr)
	case n < 46:
		return w.resolve(pr)
	case n < 47 && w.rng.IntN(2) == 0:
		return w.lateCommit(pr)
	case n < 47:
		return w.rng.IntN(5) == 0 && w.crash(pr)
	case n < 48:
		return w.rng.IntN(5) == 0 && w.kick(pr)
	case n < 50:
		return w.learn(pr) || w.hear(pr)
	case n < 62 && len(pr.drivers) > 0:
		return pr.drivers[w.rng.IntN(len(pr.drivers))].end()
	case n < 66 && len(pr.drivers) > 0:
		return pr.drivers[w.rng.IntN(len(pr.drivers))].look()
	}
	if len(pr.parts) == 0 {
		return false
	}
	p := pr.parts[w.rng.IntN(len(pr.parts))]
	switch {
	case n < 67:
		return w.rng.IntN(4) == 0 && w.revoke(p)
	case n < 70:
		return w.release(p)
	}
	return w.work(p)
}

// work does what there is to do for a partition.
func (w *world) work(p *part) bool {
	switch {
	case p.assignment != nil:
		return w.deliver(p)
	case p.replays != nil:
		switch w.rng.IntN(3) {
		case 0:
			return w.indexMore(p)
		case 1:
			return w.requestsMore(p)
		}
		return w.replayMore(p)
	case p.batch == nil:
		return w.poll(p)
	}
	return w.settle(p)
}

// pass advances the clock: to the next timer of a dispatcher, or by a random time.
func (w *world) pass() bool {
	d := time.Duration(w.rng.Int64N(int64(3 * time.Second)))
	if next, ok := w.next(); ok && w.rng.IntN(4) > 0 {
		d = max(time.Until(next), 0)
	}
	time.Sleep(d)
	return true
}

// next is the next timer of a dispatcher.
func (w *world) next() (first time.Time, ok bool) {
	for _, pr := range w.processes {
		for _, d := range pr.drivers {
			if !pr.gone && !d.wakeAt.IsZero() && (!ok || d.wakeAt.Before(first)) {
				first, ok = d.wakeAt, true
			}
		}
	}
	return first, ok
}

func (w *world) mood() bool {
	c := channels[w.rng.IntN(len(channels))]
	w.moods[c] = []mood{fine, fine, flaky, down, limiting, suspending}[w.rng.IntN(6)]
	return true
}

// rare does what happens seldom: other rules, more partitions, offsets set back
// by an operator, poison made decodable, an outbox recreated.
func (w *world) rare() bool {
	switch w.rng.IntN(8) {
	case 0:
		w.rules++ // for processes that start from now on
	case 1:
		l := w.outboxes["hook"][0]
		n := int32(len(w.outboxes["hook"]))
		if n > 3 {
			return false
		}
		w.outboxes["hook"] = append(w.outboxes["hook"], &topicLog{topic: l.topic, id: l.id, instance: l.instance, partition: n})
	case 2:
		w.fixed = true
	case 3, 4:
		return w.rewind()
	case 5:
		return w.rng.IntN(3) == 0 && w.recreate(channels[w.rng.IntN(len(channels))])
	default:
		return false
	}
	return true
}

// rewind sets a committed offset back, as an operator can while no member owns the
// partition.
func (w *world) rewind() bool {
	l := w.sources[w.rng.IntN(len(w.sources))]
	last := w.commits[l]
	if w.owner(l) != nil || last == nil || last.At.Offset == 0 {
		return false
	}
	to := *last
	to.At.Offset = w.rng.Int64N(last.At.Offset)
	to.Metadata = offsets.Binding(cluster, l.id)
	w.commits[l], w.muddled[l] = &to, true
	w.happened(oracle.Happening{Kind: oracle.Reset, Group: group, Place: l.place(to.At.Offset)})
	return true
}

// recreate deletes an outbox and creates it again. What was in it is lost; the
// group may keep the offsets of the old one. Those who read it are gone, which
// is the shortest way to say that their partitions are.
func (w *world) recreate(channel string) bool {
	for _, pr := range slices.Clone(w.processes) {
		if pr.stage == delivering {
			w.crash(pr)
		}
	}
	keep := w.chance(50)
	for i, old := range w.outboxes[channel] {
		l := &topicLog{topic: old.topic, id: "again-" + old.id, instance: old.instance + 1, partition: old.partition}
		w.outboxes[channel][i] = l
		w.former = append(w.former, old)
		if last := w.commits[old]; last != nil && keep {
			w.commits[l] = last
		}
	}
	w.happened(oracle.Happening{Kind: oracle.Recreated, Place: w.outboxes[channel][0].place(0)})
	return true
}

// recover ends all faults and continues until everything is settled.
func (w *world) recover() {
	w.well, w.fixed = true, true
	for _, pr := range slices.Clone(w.processes) {
		if pr.kicked && !pr.gone {
			w.crash(pr)
		}
	}
	for range 5_000 {
		if !w.round() && !w.awaited() {
			return
		}
	}
}

// unsettled returns what is not committed to its end although all is well. A
// group that a commit has set back later than an owner is in doubt for stays
// there until something settles.
func (w *world) unsettled() (faults []oracle.Violation) {
	for s := range stage(2) {
		for _, l := range w.inputs(s) {
			at := int64(0)
			if c := w.commits[l]; c != nil {
				at = c.At.Offset
			}
			if at < l.end() && !w.setBack[l] && !w.awaitsSetBack(l) {
				faults = append(faults, oracle.Violation{Index: len(w.history), Promise: "progress", Text: fmt.Sprintf("%s is committed up to %d although it ends at %d and all is well", l.place(0), at, l.end())})
			}
		}
	}
	return faults
}

// awaitsSetBack reports whether the first open request of the replay topic is a move that
// waits for a partition whose commit was set back.
func (w *world) awaitsSetBack(l *topicLog) bool {
	p := w.owner(l)
	if p == nil || p.replays == nil || len(p.replays.open) == 0 || p.replays.open[0].move == nil {
		return false
	}
	q := p.replays.open[0].move
	return slices.ContainsFunc(w.outboxes[q.From], func(from *topicLog) bool { return w.setBack[from] && !w.movedOf(q, from) })
}

// awaited lets the time pass that an outbox waits for.
func (w *world) awaited() bool {
	if next, ok := w.next(); ok {
		time.Sleep(max(time.Until(next), 0))
		return true
	}
	for _, pr := range w.processes {
		for _, p := range pr.parts {
			if !p.leaving && (p.batch != nil || p.replays != nil && p.replays.out != nil) {
				time.Sleep(5 * time.Second) // the longest backoff of a write
				return true
			}
		}
	}
	return false
}

// round does everything once, and reports whether there was anything.
func (w *world) round() bool {
	did := false
	for s := range stage(2) {
		for _, l := range w.inputs(s) {
			if w.owner(l) != nil {
				continue
			}
			members := w.members(s)
			if len(members) == 0 {
				members = append(members, w.start(s))
			}
			w.give(members[0], l)
			did = true
		}
	}
	for _, pr := range slices.Clone(w.processes) {
		did = w.arrive(pr) || did
		for pr.broker.acknowledge() {
			did = true
		}
		did = w.hear(pr) || did
		for _, d := range pr.drivers {
			did = d.look() || did
			for d.end() {
				did = true
			}
		}
		for _, p := range slices.Clone(pr.parts) {
			did = w.release(p) || did
			if p.left {
				continue
			}
			did = w.indexMore(p) || did
			did = w.requestsMore(p) || did
			did = w.replayMore(p) || did
			if p.assignment != nil {
				did = w.deliver(p) || did
			} else if p.replays == nil {
				did = w.poll(p) || did
				did = w.settle(p) || did
			}
		}
		did = w.takeCommit(pr) || did
		did = w.resolve(pr) || did
	}
	return did
}

// run goes through one schedule.
func run(t *testing.T, seed uint64, broken mutation) (w *world, faults []oracle.Violation) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		w = newWorld(seed, broken)
		for range 200 + w.rng.IntN(600) {
			w.step()
			if len(w.judge.Violations()) > 0 {
				break
			}
		}
		if len(w.judge.Violations()) == 0 {
			w.recover()
		}
		faults = w.judge.Violations()
		if len(faults) == 0 {
			faults = append(w.judge.End(), w.unsettled()...)
		}
		for _, topic := range w.strays {
			faults = append(faults, oracle.Violation{Index: len(w.history), Promise: "topics", Text: "an outbox record was written to " + topic})
		}
		for _, text := range w.unmarked {
			faults = append(faults, oracle.Violation{Index: len(w.history), Promise: "marks", Text: text})
		}
		if w.unsaid > 0 {
			faults = append(faults, oracle.Violation{Index: len(w.history), Promise: "reported", Text: "an outbox was recreated, and it was not reported"})
		}
	})
	return w, faults
}

func TestSchedules(t *testing.T) {
	first, n := uint64(1), *schedules
	if *seed != 0 {
		first, n = *seed, 1
	}
	if testing.Short() {
		n = min(n, 500)
	}
	t.Cleanup(func() { t.Logf("%v", tally.n) })
	const shards = 4
	for shard := range uint64(shards) {
		t.Run(fmt.Sprint(shard), func(t *testing.T) {
			t.Parallel()
			for s := first + shard; s < first+uint64(n); s += shards {
				w, faults := run(t, s, "")
				if *seed != 0 {
					w.print(os.Stdout, len(w.history))
				}
				if len(faults) > 0 {
					report(t, w, s, faults)
					return
				}
				count(w)
			}
		})
	}
}

var tally struct {
	sync.Mutex
	n map[oracle.Kind]int
}

func count(w *world) {
	tally.Lock()
	defer tally.Unlock()
	if tally.n == nil {
		tally.n = make(map[oracle.Kind]int)
	}
	for _, h := range w.history {
		tally.n[h.Kind]++
	}
}

func report(t *testing.T, w *world, seed uint64, faults []oracle.Violation) {
	t.Helper()
	w.print(os.Stderr, 60)
	for _, f := range faults {
		t.Error(f)
	}
	t.Errorf("replay it: go test ./internal/simulation -run TestSchedules -seed %d -v", seed)
}

func TestSeedDeterminesHistory(t *testing.T) {
	for s := range uint64(50) {
		a, _ := run(t, s, "")
		b, _ := run(t, s, "")
		if x, y := sha256.Sum256([]byte(a.text())), sha256.Sum256([]byte(b.text())); x != y {
			t.Fatalf("seed %d: two histories", s)
		}
	}
}
