package unpack

import (
	"runtime"
	"sync"
	"time"
	"weak"
)

// collectEvery is the shortest time between two garbage collections that an
// account asks for.
const collectEvery = 250 * time.Millisecond

// account knows how much memory unpacked batches take. A batch counts until
// the garbage collector has found that nothing refers to it: a buffered fetch,
// a queued record and a value that somebody kept all hold the whole batch, and
// kgo tells nobody when it drops one. So what is counted is what is really in
// memory, there is nothing to give back, and nothing that can be forgotten.
//
// It has no channels and no timers, so that it can be shared by whatever runs in
// the process, tests on a fake clock included.
type account struct {
	mu   sync.Mutex
	used int64 // by live, by what is being unpacked, and by garbage since the last look
	live []held
	// beyond is the batch that was let in although there was no room.
	beyond  weak.Pointer[byte]
	letting bool // it is being unpacked
	// since is an object that nothing refers to: while it is there, the garbage
	// collector has not run since the last look, and another would see the same.
	since     weak.Pointer[[64]byte]
	collected time.Time
}

// held is one batch.
type held struct {
	batch weak.Pointer[byte]
	cost  int64
}

// process is the account of this process.
var process account

// lease is the memory of one batch: kept or given back.
type lease struct {
	account *account
	cost    int64
	beyond  bool
}

// take takes the memory of a batch and reports whether there was room below
// total. When there is none, one batch at a time may go beyond it: what waits
// for something else and cannot be dropped does not stop the others.
func (a *account) take(cost, total int64) (lease, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := lease{account: a, cost: cost}
	if a.used+cost > total && a.since.Value() == nil {
		a.look()
	}
	if a.used+cost > total && a.mayCollect() {
		runtime.GC()
		a.look()
	}
	if a.used+cost > total {
		if a.letting || a.beyond.Value() != nil {
			return lease{}, false
		}
		a.letting, l.beyond = true, true
	}
	a.used += cost
	return l, true
}

// charge takes the memory of a batch whether there is room or not.
func (a *account) charge(cost int64) lease {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used += cost
	return lease{account: a, cost: cost}
}

// look forgets the batches that are gone; a.mu is held.
func (a *account) look() {
	live := a.live[:0]
	for _, h := range a.live {
		if h.batch.Value() != nil {
			live = append(live, h)
		} else {
			a.used -= h.cost
		}
	}
	clear(a.live[len(live):])
	a.live = live
	a.since = weak.Make(new([64]byte))
}

// mayCollect reports whether the last collection is long enough ago; a.mu is
// held. A clock that went back, a fake one's, does not hinder.
func (a *account) mayCollect() bool {
	now := time.Now()
	if d := now.Sub(a.collected); d >= 0 && d < collectEvery {
		return false
	}
	a.collected = now
	return true
}

// keep says that the batch is this one, which costs that much more than was
// taken.
func (l lease) keep(batch []byte, more int64) {
	a := l.account
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(batch) == 0 {
		l.end()
		return
	}
	a.used += more
	p := weak.Make(&batch[0])
	a.live = append(a.live, held{p, l.cost + more})
	if l.beyond {
		a.letting, a.beyond = false, p
	}
}

// drop gives back what was taken for a batch that did not come to be.
func (l lease) drop() {
	l.account.mu.Lock()
	defer l.account.mu.Unlock()
	l.end()
}

func (l lease) end() {
	l.account.used -= l.cost
	if l.beyond {
		l.account.letting = false
	}
}
