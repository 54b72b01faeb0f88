package offsets

import (
	"cmp"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"
)

// Tried is what was done for a record that is not settled.
type Tried struct {
	Attempts int       // that count
	First    time.Time // when it was first tried, in seconds; zero: never
	// Maybe is set while it may have been sent, or have a dead letter.
	Maybe bool
}

// MaybeListed is how many records a commit can always list that may have been
// sent.
const MaybeListed = 12

// triedLimit is what the list of tried records may always take, in bytes: MaybeListed
// of six bytes each, the first time two more.
const triedLimit = 80

// encodeTried appends what was done for records above a committed offset to b, in
// at most limit bytes: first for those that may have been sent, then for the
// oldest. The rest is left out: its attempts are counted from zero.
func encodeTried(b []byte, tried map[int64]Tried, committed int64, limit int) []byte {
	offsets := slices.SortedFunc(maps.Keys(tried), func(a, b int64) int {
		if tried[a].Maybe != tried[b].Maybe {
			if tried[a].Maybe {
				return -1
			}
			return 1
		}
		return cmp.Compare(a, b)
	})
	at, first := committed, int64(0)
	for _, offset := range offsets {
		t := tried[offset]
		how, second := uint64(t.Attempts)<<2, int64(0)
		if t.Maybe {
			how |= 1
		}
		if !t.First.IsZero() {
			how |= 2
			second = t.First.Unix()
		}
		longer := binary.AppendUvarint(binary.AppendVarint(b, offset-at), how)
		if !t.First.IsZero() {
			longer = binary.AppendVarint(longer, second-first)
			first = second
		}
		if len(longer) > limit {
			break
		}
		b, at = longer, offset
	}
	return b
}

var errTried = errors.New("the list of attempts is damaged")

// decodeTried reads what encodeTried wrote for the same committed offset.
func decodeTried(b []byte, committed int64) (map[int64]Tried, error) {
	r := reader{b: b}
	tried := make(map[int64]Tried)
	for at, first := committed, int64(0); len(r.b) > 0 && !r.bad; {
		at += r.varint()
		how := r.uvarint()
		t := Tried{Attempts: int(min(how>>2, 1<<20)), Maybe: how&1 != 0}
		if how&2 != 0 {
			first += r.varint()
			t.First = time.Unix(first, 0)
		}
		tried[at] = t
	}
	if r.bad {
		return nil, errTried
	}
	return tried, nil
}
