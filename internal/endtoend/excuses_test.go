//go:build synctests

package endtoend

import (
	"testing"

	"github.com/algotrade/notifier/internal/ledger"
)

// The excuses of contract_test.go: each where it holds, and next to where it ends.

func TestRaisedAndMovedIsTakenOnceEach(t *testing.T) {
	c := &closing{taken: make(map[queued]bool)}
	d, other := new(ledger.Delivery), new(ledger.Delivery)
	for i, step := range []struct {
		of      queued
		excused bool
	}{
		{queued{d, false}, false},
		{queued{other, true}, false}, // another delivery was moved
		{queued{d, true}, true},
		{queued{d, true}, false},  // as it was moved, for the second time
		{queued{d, false}, false}, // as it was raised, for the second time
	} {
		if got := c.raisedAndMoved(step.of); got != step.excused {
			t.Errorf("step %d: excused %v, want %v", i, got, step.excused)
		}
	}
}

func TestLateCommitExcusesOnlyLowerOffsets(t *testing.T) {
	for committed, excused := range map[int64]bool{6: true, 7: false, 8: false} {
		if got := carriedOutLate(committed, 7); got != excused {
			t.Errorf("%d of 7: excused %v", committed, got)
		}
	}
}
