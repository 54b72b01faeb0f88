//go:build synctests

package endtoend

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	schedules = flag.Int("schedules", 300, "how many schedules of faults are run")
	firstSeed = flag.Uint64("seed", 1, "the first of their seeds; the others follow it")
	only      = flag.String("only", "", "draw faults of this name only")
)

// TestNothingIsLostWhateverBreaks runs the daemon's own code, both stages and
// replays, against brokers in memory on a fake clock, and breaks what a seed
// says: requests refused or carried out and not answered, leaders and
// coordinators that move, processes that come, go, die at any moment or hang,
// topics deleted, offsets rewound, providers that fail in every way.
// Then all is whole again, it has to come to rest, and the oracle judges what
// happened.
//
// A seed fixes what is drawn, not how goroutines are scheduled: a failure may
// take a few runs to come again, which is why its history is kept. No schedule is
// run again: one that is blamed fails.
func TestNothingIsLostWhateverBreaks(t *testing.T) {
	failures := 0
	for i := range *schedules {
		seed := *firstSeed + uint64(i)
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) {
			for _, b := range schedule(t, seed) {
				t.Error(b)
			}
		}) {
			if failures++; failures == 5 {
				t.Fatal("five schedules failed: that is enough to read")
			}
		}
	}
}

// TestReplayReadsRecreatedTopic is schedules in which dead letters are replayed,
// their topic is recreated, and entries at the same offsets of the new one are
// replayed, in the second before the daemon has noticed that.
func TestReplayReadsRecreatedTopic(t *testing.T) {
	for _, seed := range []uint64{1213, 401} {
		for _, b := range schedule(t, seed) {
			t.Errorf("schedule %d: %s", seed, b)
		}
	}
}

// loadFor is how long events come and faults happen; settleFor how long it may
// take afterwards until nothing is left to be done, both on the fake clock.
const (
	loadFor   = 10 * time.Second
	settleFor = 15 * time.Minute
)

// schedule returns what is wrong with a schedule.
func schedule(t *testing.T, seed uint64) (blamed []string) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(seed, 1))
		partitions := map[string]int32{"calm": draw(random, int32(3), 4), "rough": draw(random, int32(1), 6)}
		moods := map[string]mood{"calm": {slow: random.IntN(3)}, "rough": drawMood(random)}
		tr := newTrial(t, partitions, moods, drawLoad(random, 200+random.IntN(200)), seed)
		tr.eager = random.IntN(5) == 0
		defer tr.close()
		for range 1 + random.IntN(3) {
			tr.startOne(random)
		}
		time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)

		var wg sync.WaitGroup
		wg.Go(func() { tr.produce(rand.New(rand.NewPCG(seed, 2)), loadFor) })
		for range 2 + random.IntN(6) {
			d := drawDisturbance(random)
			at, own := time.Duration(random.Int64N(int64(loadFor))), rand.New(rand.NewPCG(seed, random.Uint64()))
			wg.Go(func() {
				time.Sleep(at)
				tr.history.note(fault, "", "%s", d.name)
				d.do(tr, own)
			})
		}
		wg.Wait()
		tr.recover(random)
		if tr.rest(settleFor) && random.IntN(2) == 0 { // hopeless messages are fixed and replayed
			tr.fix()
			tr.replay(true)
			tr.rest(settleFor)
		}
		tr.stop()
		blamed = tr.report(seed)
	})
	return blamed
}

func drawDisturbance(random *rand.Rand) disturbance {
	total := 0
	for _, d := range disturbances {
		if *only == "" || d.name == *only {
			total += d.weight
		}
	}
	x := random.IntN(total)
	for _, d := range disturbances {
		if *only != "" && d.name != *only {
			continue
		}
		if x -= d.weight; x < 0 {
			return d
		}
	}
	panic("unreachable")
}

// recover ends all faults of brokers and providers, and starts a process if there is
// none.
func (t *trial) recover(random *rand.Rand) {
	t.whole.Store(true)
	t.mu.Lock()
	for _, h := range t.faults {
		h.Remove()
	}
	t.mu.Unlock()
	for _, p := range t.providers {
		p.mu.Lock()
		p.recovered, p.onTaken = true, nil
		p.mu.Unlock()
	}
	for _, n := range t.alive() {
		n.wire.set(nil)
	}
	if len(t.alive()) == 0 {
		t.startOne(random)
	}
	t.history.note(recovered, "", "")
}

func (t *trial) fix() {
	for _, p := range t.providers {
		p.mu.Lock()
		p.fixed = true
		p.mu.Unlock()
	}
}

// report judges what happened and, where that is wrong, writes the history down
// and how to run the schedule again.
func (t *trial) report(seed uint64) (blamed []string) {
	list, blamed := t.judge()
	if len(blamed) == 0 && !t.t.Failed() {
		return nil
	}
	name := filepath.Join(os.TempDir(), fmt.Sprintf("notifier-history-%d.txt", seed))
	var text strings.Builder
	for i, h := range list {
		fmt.Fprintf(&text, "%6d %s\n", i, h)
	}
	text.WriteString("\n")
	t.history.print(&text)
	if err := os.WriteFile(name, []byte(text.String()), 0o600); err != nil {
		t.t.Log(text.String())
		return blamed
	}
	t.t.Logf("the history is in %s; run it again with\n\tgo test -tags synctests ./internal/endtoend -run TestNothingIsLostWhateverBreaks -schedules 1 -seed %d", name, seed)
	return blamed
}
