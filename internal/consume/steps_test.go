package consume

import (
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/offsets"
)

// owners is a partition of 20 records that one owner after the other has.
type owners struct {
	*Steps
	last *Committed
}

func newOwners() *owners {
	return &owners{Steps: NewSteps(Params{
		Name: "test", Cluster: "c", OwnTopics: true, Topics: []string{"outbox"},
		Window: Window{Records: 4096, Bytes: 1 << 20}, Logger: slog.New(slog.DiscardHandler),
	})}
}

// next begins an assignment that gets this many records above its commit, and
// settles those that a former owner has finished.
func (o *owners) next(records int) (*Partition, map[int64]*offsets.Entry) {
	p, from := o.Assign("outbox", 0, "id", 20, o.last)
	var polled []*kgo.Record
	for offset := max(from, 0); len(polled) < records; offset++ {
		polled = append(polled, &kgo.Record{Topic: "outbox", Offset: offset, LeaderEpoch: 1})
	}
	open := make(map[int64]*offsets.Entry)
	for _, r := range o.Deliver(p, polled) {
		e := p.Begin(r, offsets.Origin{})
		if p.Finished(r) {
			p.Settle(e)
		} else {
			open[r.Offset] = e
		}
	}
	return p, open
}

func (o *owners) commit(t *testing.T, p *Partition) {
	t.Helper()
	s, ok := o.Snapshot(p, false)
	if !ok {
		t.Fatal("nothing to commit")
	}
	o.Answered(s, nil, false)
	o.last = &s.Committed
}

func (o *owners) holds(t *testing.T, when string, finished ...bool) {
	t.Helper()
	for offset, want := range finished {
		if got := o.last.Finished(int64(offset)); got != want {
			t.Errorf("%s: %d finished: %v", when, offset, got)
		}
	}
}

// A new owner knows of the records that it has not read yet only from the
// commit that it began with. A commit of its own must not forget them.
func TestCommitKeepsGapsOfFormerOwner(t *testing.T) {
	o := newOwners()
	p, open := o.next(10)
	for _, offset := range []int64{2, 3, 4, 6, 8, 9} {
		p.Settle(open[offset])
	}
	o.commit(t, p)
	const done, not = true, false
	o.holds(t, "the first owner", not, not, done, done, done, not, done, not, done, done, not)

	p, _ = o.next(3) // 0, 1 and 2, of which the last is finished
	o.commit(t, p)
	o.holds(t, "the second has read 3", not, not, done, done, done, not, done, not, done, done, not)

	p, open = o.next(2)
	p.Settle(open[0])
	o.commit(t, p)
	o.holds(t, "the third has read 2 and settled 1", done, not, done, done, done, not, done, not, done, done, not)

	p, open = o.next(1)
	p.Settle(open[1])
	o.commit(t, p)
	o.holds(t, "the fourth has settled all it has read", done, done, done, done, done, not, done, not, done, done, not)

	p, open = o.next(8) // 2 to 9: the fifth continues
	p.Settle(open[5])
	p.Settle(open[7])
	o.commit(t, p)
	if at := o.last.At.Offset; at != 10 {
		t.Errorf("committed %d in the end, want 10", at)
	}
}

func TestGapsOfFormerOwnerCountTowardsTheLimit(t *testing.T) {
	o := newOwners()
	p, open := o.next(2 * offsets.MaxGaps)
	for offset := int64(1); offset < 2*offsets.MaxGaps; offset += 2 {
		p.Settle(open[offset])
	}
	o.commit(t, p)
	p, open = o.next(4)
	if p.Holds(open[2]) != true {
		t.Error("ending 2 joins two runs of finished ones")
	}
	p, open = o.next(1)
	if !p.Holds(open[0]) {
		t.Error("the oldest of all can always end")
	}
	if n := p.gaps(); n != offsets.MaxGaps-1 {
		t.Errorf("%d gaps, want %d beyond what was read", n, offsets.MaxGaps-1)
	}
}

func TestNoMoreGapsThanACommitLists(t *testing.T) {
	p, open := newOwners().next(2*offsets.MaxGaps + 3)
	beyond := open[2*offsets.MaxGaps+1] // behind one that is unsettled, too
	for offset := int64(1); offset < 2*offsets.MaxGaps; offset += 2 {
		if !p.Holds(beyond) {
			t.Fatalf("no room at %d gaps", p.gaps())
		}
		p.Settle(open[offset])
	}
	if n := p.gaps(); n != offsets.MaxGaps || p.Holds(beyond) {
		t.Errorf("at %d gaps there is room for one more", n)
	}
	if !p.Holds(open[2*offsets.MaxGaps]) {
		t.Error("what makes no gap can always be settled")
	}
}

// TestPolledRecordsAreCommittedOnlyOnceQueued: it is not what a marker leaves.
func TestPolledRecordsAreCommittedOnlyOnceQueued(t *testing.T) {
	o := newOwners()
	o.last = &Committed{At: offsets.Position{Epoch: 1, Offset: 5}, Metadata: offsets.Binding("c", "id")}
	p, _ := o.Assign("outbox", 0, "id", 20, o.last)
	last := &kgo.Record{Topic: "outbox", Offset: 9, LeaderEpoch: 2}
	p.skipped(0, last.Offset+1)
	if s, ok := o.Snapshot(p, false); ok {
		t.Errorf("committed %+v", s.At)
	}
	p.add(nil, last) // nothing but markers
	if s, ok := o.Snapshot(p, false); !ok || s.At != (offsets.Position{Epoch: 2, Offset: 10}) {
		t.Errorf("committed %+v, %v", s.At, ok)
	}
}

// TestCommitUnderWayNarrowsWhatIsClaimed: whichever of the two commits is the group's
// last, it claims what is begun meanwhile.
func TestCommitUnderWayNarrowsWhatIsClaimed(t *testing.T) {
	o := newOwners()
	p, open := o.next(20)
	p.ClaimAhead(10)
	o.commit(t, p)
	if !p.Claim(open[7], open[7]) || p.Claim(open[17], open[17]) {
		t.Fatal("ten records are claimed ahead")
	}
	p.ClaimAhead(0)
	p.Claim(open[3], open[3])
	s, ok := o.Snapshot(p, false)
	if !ok || p.Claim(open[7], open[7]) || !p.Claim(open[3], open[3]) {
		t.Fatal("7 is not among what the commit under way claims")
	}
	o.Answered(s, nil, false)
	if p.Claim(open[7], open[7]) || !p.Claim(open[3], open[3]) {
		t.Error("only the record that was asked for is claimed")
	}
	p.Try(open[3], offsets.Tried{Maybe: true})
	o.commit(t, p)
	if next, of := o.next(20); !of[3].Tried().Maybe || of[2].Tried().Maybe || next.Claim(of[4], of[4]) {
		t.Errorf("the next owner takes over %+v of 3 and %+v of 2", of[3].Tried(), of[2].Tried())
	}
}

// TestUnreadClaimsAreKept by an owner that leaves before it has read so far.
func TestUnreadClaimsAreKept(t *testing.T) {
	o := newOwners()
	p, open := o.next(20)
	p.ClaimAhead(16)
	o.commit(t, p)
	p.Try(open[12], offsets.Tried{Attempts: 3, First: time.Unix(1e9, 0), Maybe: true})
	o.commit(t, p)
	for range 2 {
		p, _ = o.next(5)
		if s, ok := o.Snapshot(p, true); ok {
			o.last = &s.Committed
		}
	}
	_, open = o.next(20)
	if got := open[12].Tried(); got.Attempts != 3 || !got.First.Equal(time.Unix(1e9, 0)) || !got.Maybe || !open[8].Tried().Maybe {
		t.Errorf("%+v of 12, %+v of 8", got, open[8].Tried())
	}
}
