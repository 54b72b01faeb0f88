//go:build synctests

package endtoend

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// quietTrial is a trial without faults.
func quietTrial(t *testing.T, n int, partitions map[string]int32, rough mood) *trial {
	return newTrial(t, partitions, map[string]mood{"rough": rough}, drawLoad(rand.New(rand.NewPCG(5, uint64(n))), n), 1)
}

// checkNoDuplicates judges a trial in which no duplicate is allowed.
func (t *trial) checkNoDuplicates() {
	t.t.Helper()
	t.stop()
	t.fair()
	sent := make(map[string]int)
	for _, s := range t.history.list() {
		if s.kind == taken {
			what := fmt.Sprintf("%s #%d", s.channel, s.event)
			if sent[what]++; sent[what] > 1 {
				t.t.Errorf("%s was sent twice", what)
			}
		}
	}
}

// TestProcessesOfNewGroupStartConcurrently: each commits where the group begins,
// one is first, and nothing is skipped.
func TestProcessesOfNewGroupStartConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := quietTrial(t, 200, map[string]int32{"calm": 4, "rough": 1}, mood{})
		defer tr.close()
		tr.produce(rand.New(rand.NewPCG(1, 1)), time.Millisecond)
		for range 4 {
			tr.start("")
		}
		tr.rest(time.Minute)
		for _, s := range tr.history.list() {
			if s.kind == fault {
				t.Error(s)
			}
		}
		tr.checkNoDuplicates()
	})
}

// TestEagerAndCooperativeRebalancingAgree: cooperative, which is ours, and
// eager, which revokes all partitions of all members each time.
func TestEagerAndCooperativeRebalancingAgree(t *testing.T) {
	for _, eager := range []bool{false, true} {
		t.Run(fmt.Sprint("eager ", eager), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := quietTrial(t, 600, map[string]int32{"calm": 4, "rough": 6}, mood{})
				defer tr.close()
				tr.eager = eager
				go tr.produce(rand.New(rand.NewPCG(2, 2)), 40*time.Second)
				stays := tr.start("")
				for range 5 {
					guest := tr.start("")
					time.Sleep(4 * time.Second)
					guest.leave()
					time.Sleep(3 * time.Second)
				}
				time.Sleep(20 * time.Second)
				tr.rest(time.Minute)
				if n := len(stays.trial.alive()); n != 1 {
					t.Errorf("%d are alive", n)
				}
				tr.checkNoDuplicates()
			})
		})
	}
}

// TestDisconnectedProcessBoundsItsDuplicates: it does not know that it is no longer
// the owner, cannot commit, and stops by itself. Where its channel comes back right
// after, nothing is claimed that it could begin with.
func TestDisconnectedProcessBoundsItsDuplicates(t *testing.T) {
	for name, m := range map[string]mood{"slow": {slow: 15}, "back": {downUntil: 5 * time.Second}} {
		t.Run(name, func(t *testing.T) { disconnected(t, m) })
	}
}

func disconnected(t *testing.T, rough mood) {
	synctest.Test(t, func(t *testing.T) {
		tr := quietTrial(t, 1500, map[string]int32{"calm": 4, "rough": 2}, rough)
		defer tr.close()
		former := tr.start("")
		tr.produce(rand.New(rand.NewPCG(3, 3)), 4*time.Second)
		tr.history.note(stalled, former.name, "")
		former.wire.stall()
		tr.start("")
		time.Sleep(30 * time.Second)
		tr.history.note(resumed, former.name, "")
		former.wire.release()
		tr.rest(time.Minute)
		tr.stop()
		tr.fair()
		late, cut := make(map[string]int), false
		for _, s := range tr.history.list() {
			cut = (cut || s.kind == stalled) && s.kind != resumed
			if cut && s.kind == taken && s.node == former.name {
				late[fmt.Sprintf("%s/%d", s.channel, s.what.Place.Partition)]++
			}
		}
		if some := late["rough/0"]+late["rough/1"] > 0; some != (rough.slow > 0) {
			t.Errorf("it sent something after it was cut off: %v", some)
		}
		for partition, n := range late {
			if n > uncommitted {
				t.Errorf("%d were sent to %s after it was cut off", n, partition)
			}
		}
	})
}

// TestKeptPartitionsContinueDuringRevoke: long sends delay the revoke by a second,
// and kept partitions by no more.
func TestKeptPartitionsContinueDuringRevoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := quietTrial(t, 1000, map[string]int32{"calm": 4, "rough": 4}, mood{slow: 100})
		defer tr.close()
		stays := tr.start("")
		time.Sleep(time.Second)
		begun := time.Now()
		go tr.produce(rand.New(rand.NewPCG(4, 4)), 20*time.Second)
		time.Sleep(5 * time.Second)
		tr.start("")
		time.Sleep(16 * time.Second)
		last, gap := begun.Sub(tr.history.begun), time.Duration(0)
		for _, s := range tr.history.list() {
			if s.kind == begin && s.channel == "calm" && s.node == stays.name && s.at < last+20*time.Second {
				gap, last = max(gap, s.at-last), s.at
			}
		}
		if gap > 1500*time.Millisecond {
			t.Errorf("nothing was begun for %s", gap)
		}
		tr.rest(5 * time.Minute)
		tr.stop()
		tr.fair()
	})
}

func TestRunningInstanceIsNotStartedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrial(t, map[string]int32{"calm": 1, "rough": 1}, nil, nil, 1)
		defer tr.close()
		first := tr.start("host-1")
		if second := tr.start("host-1"); second.instance != "" {
			t.Errorf("a second process is %s too", second.instance)
		}
		first.leave()
		if third := tr.start("host-1"); third.instance != "host-1" {
			t.Errorf("its successor is %q", third.instance)
		}
		time.Sleep(5 * time.Second)
		tr.stop()
		tr.fair()
	})
}
