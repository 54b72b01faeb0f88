package rule

import (
	"hash/maphash"
	"math/bits"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/expr"
)

// Resolved remembers the alert keys of rules with clear of which a resolved alert was
// raised and no other since: their next events with clear raise none. It has a bound; of
// a key that it has forgotten one more resolved alert is raised. It is for one goroutine.
type Resolved struct {
	seed maphash.Seed
	// recent and former are two generations of keys, by hash; the latter is dropped when
	// the former is full. That two keys share one of 64 bits is as likely as that a disk
	// returns a wrong block.
	recent, former map[uint64]struct{}
}

// maxResolved is how many keys a generation has.
const maxResolved = 50_000

// NewResolved returns a memory that is empty.
func NewResolved() *Resolved {
	return &Resolved{seed: maphash.MakeSeed(), recent: make(map[uint64]struct{})}
}

// has reports whether a key is remembered, and remembers it for longer.
func (r *Resolved) has(key uint64) bool {
	if r == nil {
		return false
	}
	if _, ok := r.recent[key]; ok {
		return true
	}
	_, ok := r.former[key]
	if ok {
		r.add(key)
	}
	return ok
}

func (r *Resolved) add(key uint64) {
	if len(r.recent) >= maxResolved {
		r.former, r.recent = r.recent, make(map[uint64]struct{})
	}
	r.recent[key] = struct{}{}
}

func (r *Resolved) remove(key uint64) {
	delete(r.recent, key)
	delete(r.former, key)
}

// keyHash is the hash of a rule with clear and the parts of an alert key. It depends on
// the order of the parts and on where one ends.
type keyHash struct {
	seed maphash.Seed
	sum  uint64
}

// begin returns the hash of a rule with clear, before the parts of the key.
func (r *Resolved) begin(id string) keyHash {
	return keyHash{seed: r.seed, sum: maphash.String(r.seed, id)}
}

func (h *keyHash) part(s string) {
	high, low := bits.Mul64(h.sum^0x9e3779b97f4a7c15, maphash.String(h.seed, s)^0xd6e8feb86659fd93) // odd constants, as in wyhash
	h.sum = high ^ low
}

// hash returns the hash of a rule with clear and the parts of an alert key.
func (r *Resolved) hash(id string, key []string) uint64 {
	h := r.begin(id)
	for _, part := range key {
		h.part(part)
	}
	return h.sum
}

// note takes in an alert that was raised.
func (r *Resolved) note(key uint64, state alert.State) {
	if state == alert.Resolved {
		r.add(key)
	} else {
		r.remove(key)
	}
}

// clearing is what ends the episodes of a rule.
type clearing struct {
	when     expr.Expression
	remind   time.Duration
	channels []string // that an alert of any severity goes to
	// id is of the rule and the channels: with others, what is resolved has to be told again.
	id string
}
