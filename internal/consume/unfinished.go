package consume

import (
	"encoding/binary"
	"errors"
)

// unfinished is what a commit says about the records above its offset: up to
// newest all are finished but for these. So work that finished behind a record
// that waits is not done again by the next owner, however long that one waits.
type unfinished struct {
	newest int64 // the highest finished offset; below the committed one: there is none
	runs   []span
}

// span is the offsets from first to last.
type span struct{ first, last int64 }

// finished reports whether the record at an offset is finished.
func (u unfinished) finished(offset, committed int64) bool {
	if offset < committed || offset > u.newest {
		return false
	}
	for _, r := range u.runs { // in order, and few
		if offset <= r.last {
			return offset < r.first
		}
	}
	return true
}

// and returns u, which knows of the records from first to below next, with what
// above says from there on: a former owner has finished it, and it was not read
// again yet. A commit must not forget that.
func (u unfinished) and(above unfinished, first, next int64) unfinished {
	if above.newest < next {
		return u
	}
	add := func(s span) {
		if n := len(u.runs); n > 0 && u.runs[n-1].last+1 >= s.first {
			u.runs[n-1].last = s.last
		} else if s.first <= s.last {
			u.runs = append(u.runs, s)
		}
	}
	if first < next { // something below next is open: all of it above the newest finished one is
		add(span{max(first, u.newest+1), next - 1})
	}
	for _, r := range above.from(next) {
		add(span{max(r.first, next), r.last})
	}
	u.newest = above.newest
	return u
}

// from returns the runs that reach to an offset or beyond.
func (u unfinished) from(offset int64) []span {
	if u.newest < offset {
		return nil
	}
	for i, r := range u.runs {
		if r.last >= offset {
			return u.runs[i:]
		}
	}
	return nil
}

// append encodes u to at most limit bytes and appends it to b; nothing where
// nothing is finished. The numbers are differences: newest to the committed
// offset, then each run's begin to the end before it, and its length. Runs that
// do not fit are left out from the last on, with all above them, which is then
// done again.
func (u unfinished) append(b []byte, committed int64, limit int) []byte {
	if u.newest < committed {
		return b
	}
	newest, at := u.newest, committed
	var runs []byte
	for _, r := range u.runs {
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

var errUnfinished = errors.New("the list of unfinished offsets is damaged")

// decodeUnfinished reads what append wrote for the same committed offset.
func decodeUnfinished(b []byte, committed int64) (unfinished, error) {
	none := unfinished{newest: committed - 1}
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
	u := unfinished{newest: committed + number()}
	for at := committed; len(b) > 0; {
		first := at + number()
		last := first + number()
		u.runs = append(u.runs, span{first, last})
		at = last + 1
	}
	if bad || len(u.runs) > 0 && u.runs[len(u.runs)-1].last > u.newest {
		return none, errUnfinished
	}
	return u, nil
}
