package consume

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/health/brokers"
	"github.com/algotrade/notifier/internal/offsets"
)

// What a log held at the assignment may never come: its brokers have lost it, or
// retention has deleted it.
func TestPartitionIsReachedAlthoughRecordsAreGone(t *testing.T) {
	s := newOwners()
	p, _ := s.Assign("outbox", 0, "id", 20, nil)
	p.started = true
	reached := func(when string, want bool) {
		t.Helper()
		if p.Reached() != want {
			t.Errorf("%s: reached is %v", when, !want)
		}
	}
	reached("at the assignment", false)
	var records []*kgo.Record
	for offset := range int64(10) {
		records = append(records, &kgo.Record{Topic: "outbox", Offset: offset})
	}
	p.skipped(0, 10)
	handed := s.Deliver(p, records)
	look := func(stable int64) { s.member.judge(t.Context(), p, brokers.Log{Stable: stable, End: stable}) }
	look(10)
	reached("before its records are begun", false)
	for _, r := range handed {
		p.Begin(r, offsets.Origin{})
	}
	look(20)
	reached("with records left", false)
	look(10)
	reached("when the brokers have no more", true)
}

func TestPartitionIsReachedWhenItsLogIsBegun(t *testing.T) {
	p, _ := newOwners().next(19)
	if p.Reached() {
		t.Error("19 of 20 records are begun")
	}
	if p, _ = newOwners().next(20); !p.Reached() {
		t.Error("all records are begun")
	}
}
