package offsets

import (
	"encoding/binary"
	"errors"
)

// Gaps is what a commit says about the records above its offset: up to the
// highest settled one all are settled but for some runs. So a delivery that
// settled behind one that waits is not sent again by the next owner, however
// long that one waits.
type Gaps struct {
	newest int64 // the highest settled offset; below the committed one: there is none
	runs   []run // of unsettled offsets below newest, in order
}

// run is the offsets from first to last.
type run struct{ first, last int64 }

// NoGaps says that nothing above the committed offset is settled.
var NoGaps = Gaps{newest: -1}

// MaxGaps is how many runs of unsettled offsets a commit can always list.
const MaxGaps = 600

// Settled reports whether the record at an offset is settled, beside the
// committed offset.
func (g Gaps) Settled(offset, committed int64) bool {
	if offset < committed || offset > g.newest {
		return false
	}
	for _, r := range g.runs { // in order, and few
		if offset <= r.last {
			return offset < r.first
		}
	}
	return true
}

// Extend returns g, which knows of the records from first to below next, with
// what above says from next on: a former owner settled it, and it was not read
// again yet. A commit must not forget that.
func (g Gaps) Extend(above Gaps, first, next int64) Gaps {
	if above.newest < next {
		return g
	}
	add := func(r run) {
		if n := len(g.runs); n > 0 && g.runs[n-1].last+1 >= r.first {
			g.runs[n-1].last = r.last
		} else if r.first <= r.last {
			g.runs = append(g.runs, r)
		}
	}
	if first < next { // something below next is unsettled: all of it above the highest settled one is
		add(run{max(first, g.newest+1), next - 1})
	}
	for _, r := range above.from(next) {
		add(run{max(r.first, next), r.last})
	}
	g.newest = above.newest
	return g
}

// Newest returns the highest settled offset; if it is below the committed one, nothing
// is settled above that.
func (g Gaps) Newest() int64 { return g.newest }

// Count returns how many runs reach to an offset or beyond.
func (g Gaps) Count(offset int64) int { return len(g.from(offset)) }

// from returns the runs that reach to an offset or beyond.
func (g Gaps) from(offset int64) []run {
	if g.newest < offset {
		return nil
	}
	for i, r := range g.runs {
		if r.last >= offset {
			return g.runs[i:]
		}
	}
	return nil
}

// runAt returns the first run that ends at an offset or above it; without one,
// an empty run behind the highest settled offset.
func (g Gaps) runAt(offset int64) run {
	for _, r := range g.runs {
		if offset <= r.last {
			return r
		}
	}
	return run{g.newest + 1, g.newest + 1}
}

// encode appends g in at most limit bytes to b; nothing where nothing is
// settled. The numbers are differences: newest to the committed offset, then
// each run's begin to the end before it, and its length. Runs that do not fit
// are left out from the last on, with all above them, which is then sent again.
func (g Gaps) encode(b []byte, committed int64, limit int) []byte {
	if g.newest < committed {
		return b
	}
	newest, at := g.newest, committed
	var runs []byte
	for _, r := range g.runs {
		before := len(runs)
		runs = binary.AppendUvarint(runs, uint64(r.first-at))
		runs = binary.AppendUvarint(runs, uint64(r.last-r.first))
		if len(runs)+binary.MaxVarintLen64 > limit {
			runs, newest = runs[:before], r.first-1
			break
		}
		at = r.last + 1
	}
	if newest < committed {
		return b
	}
	return append(binary.AppendUvarint(b, uint64(newest-committed)), runs...)
}

var errGaps = errors.New("the list of unsettled offsets is damaged")

// decodeGaps reads what encode wrote for the same committed offset.
func decodeGaps(b []byte, committed int64) (Gaps, error) {
	none := Gaps{newest: committed - 1}
	if len(b) == 0 {
		return none, nil
	}
	bad := false
	number := func() int64 {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > 1<<40 {
			bad, b = true, nil
			return 0
		}
		b = b[n:]
		return int64(v)
	}
	g := Gaps{newest: committed + number()}
	for at := committed; len(b) > 0; {
		first := at + number()
		last := first + number()
		g.runs = append(g.runs, run{first, last})
		at = last + 1
	}
	if bad || len(g.runs) > 0 && g.runs[len(g.runs)-1].last > g.newest {
		return none, errGaps
	}
	return g, nil
}
