package unpack

import (
	"runtime"
	"sync"
	"time"
	"weak"
)

// collectEvery is the shortest interval between two garbage collections that an
// account starts.
const collectEvery = 250 * time.Millisecond

// account counts the memory of unpacked batches, in bytes. A batch counts until the
// garbage collector finds that nothing refers to it: any buffered record or value
// holds the whole batch, and kgo does not tell when it drops one. An account has no
// channels or timers, so that tests on a fake clock can share it.
type account struct {
	mu        sync.Mutex
	used      int64 // of batches in memory, being unpacked, and garbage since the last sweep
	live      []liveBatch
	overdraft weak.Pointer[byte] // the batch beyond the limit
	pending   bool               // the overdraft is being unpacked
	// marker is unreferenced. While it exists, no collection has run since the last
	// sweep, and another sweep would find nothing.
	marker    weak.Pointer[[64]byte]
	collected time.Time
}

type liveBatch struct {
	batch weak.Pointer[byte]
	cost  int64
}

// process is the account of this process.
var process account

// reservation is the memory reserved for one batch. It ends with commit or release.
type reservation struct {
	account   *account
	cost      int64
	overdraft bool
}

// reserve reserves memory below total and reports whether there was enough. If not,
// one batch at a time may exceed total, so that a batch that stays in memory does not
// block all others.
func (a *account) reserve(cost, total int64) (reservation, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := reservation{account: a, cost: cost}
	if a.used+cost > total && a.marker.Value() == nil {
		a.sweep()
	}
	if a.used+cost > total && a.mayCollect() {
		runtime.GC()
		a.sweep()
	}
	if a.used+cost > total {
		if a.pending || a.overdraft.Value() != nil {
			return reservation{}, false
		}
		a.pending, r.overdraft = true, true
	}
	a.used += cost
	return r, true
}

// charge reserves memory without a limit.
func (a *account) charge(cost int64) reservation {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used += cost
	return reservation{account: a, cost: cost}
}

// sweep removes the collected batches; a.mu is held.
func (a *account) sweep() {
	live := a.live[:0]
	for _, b := range a.live {
		if b.batch.Value() != nil {
			live = append(live, b)
		} else {
			a.used -= b.cost
		}
	}
	clear(a.live[len(live):])
	a.live = live
	a.marker = weak.Make(new([64]byte))
}

// mayCollect reports whether the last collection is at least collectEvery ago, or the
// clock went back; a.mu is held.
func (a *account) mayCollect() bool {
	now := time.Now()
	if d := now.Sub(a.collected); d >= 0 && d < collectEvery {
		return false
	}
	a.collected = now
	return true
}

// commit assigns the reservation and extra bytes to a batch.
func (r reservation) commit(batch []byte, extra int64) {
	a := r.account
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(batch) == 0 {
		r.end()
		return
	}
	a.used += extra
	p := weak.Make(&batch[0])
	a.live = append(a.live, liveBatch{p, r.cost + extra})
	if r.overdraft {
		a.pending, a.overdraft = false, p
	}
}

// release returns the memory of a batch that could not be unpacked.
func (r reservation) release() {
	r.account.mu.Lock()
	defer r.account.mu.Unlock()
	r.end()
}

func (r reservation) end() {
	r.account.used -= r.cost
	if r.overdraft {
		r.account.pending = false
	}
}
