package offsets

import (
	"errors"
	"fmt"
)

// CrashMark is what a commit says about the records that its owner handles, so
// that the next owner knows which of them may have ended the process, or of an
// outbox, which may have been sent. Its text
// is "+" for an owner that has not left, "+first-last?n" where these are
// suspected or begun together, and "+first-first!n" where that one is begun
// alone; n is how many processes died before at the one record, begun alone.
type CrashMark struct {
	Owned       bool  // an owner has not left
	First, Last int64 // Last below First: none
	Alone       bool
	Deaths      int
}

// Dedup that name no record.
var (
	Unmarked = CrashMark{Last: -1}
	Owned    = CrashMark{Owned: true, Last: -1}
)

// Names reports whether the mark names records.
func (k CrashMark) Names() bool { return k.Last >= k.First }

// Holds reports whether the mark names the record at an offset.
func (k CrashMark) Holds(offset int64) bool { return k.First <= offset && offset <= k.Last }

// String returns the mark as commit metadata carries it; empty: no owner.
func (k CrashMark) String() string {
	switch {
	case !k.Owned:
		return ""
	case !k.Names():
		return "+"
	case k.Alone:
		return fmt.Sprintf("+%d-%d!%d", k.First, k.Last, k.Deaths)
	}
	return fmt.Sprintf("+%d-%d?%d", k.First, k.Last, k.Deaths)
}

var errCrashMark = errors.New("the crash mark is damaged")

func parseCrashMark(text string) (CrashMark, error) {
	switch text {
	case "":
		return Unmarked, nil
	case "+":
		return Owned, nil
	}
	k := CrashMark{Owned: true}
	var how rune
	_, err := fmt.Sscanf(text, "+%d-%d%c%d", &k.First, &k.Last, &how, &k.Deaths)
	k.Alone = how == '!'
	if err != nil || k.First < 0 || !k.Names() || k.Deaths < 0 || k.Alone && k.First != k.Last || k.String() != text {
		return Unmarked, errCrashMark
	}
	return k, nil
}
