package offsets

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func write(offset, done int64, id string) Origin {
	return Origin{Input: Input{Topic: "t"}, From: Position{1, offset}, Done: Position{1, done}, Delivery: id}
}

func TestDuplicatesAreRecognisedByIDAndPosition(t *testing.T) {
	var m Dedup
	for i, step := range []struct {
		w    Origin
		want bool
	}{
		{write(10, 0, "a"), false},
		{write(11, 0, "b"), false},
		{write(10, 0, "a"), true},       // by id
		{write(30, 20, "c"), false},     // raises done to 20
		{write(11, 0, "new"), true},     // below done: it was acknowledged before that commit
		{write(25, 20, "d"), false},     // at or above done, unknown: new, though another came from further on
		{write(25, 0, "d"), true},       // a former owner, writing late with an old done
		{write(5, 20, "rewound"), true}, // the group's offsets were set back
	} {
		if got := m.Seen(step.w); got != step.want {
			t.Fatalf("step %d (%+v): repeat %v", i, step.w, got)
		}
	}
}

// TestWhatAJumpPassedOverIsNew: a writer reads on elsewhere, and comes back. What it
// passed over is sent then, and nothing is sent twice.
func TestWhatAJumpPassedOverIsNew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const log = 40
		var d Dedup
		var begin, committed, at int64
		var sent, written [log]int
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0: // a crash
				at = committed
			case 1: // run --start
				begin = rapid.Int64Range(0, log).Draw(t, "to")
				committed, at = begin, begin
			case 2, 3:
				committed = at
			case 4: // another owner of the outbox
				var err error
				if d, err = decoded(&d); err != nil {
					t.Fatal(err)
				}
			default:
				if at < log && at%3 != 0 { // else it raises none
					written[at] = 1
					if !d.Seen(Origin{Input: Input{"t", 0, begin}, From: Position{1, at}, Done: Position{1, committed}, Delivery: fmt.Sprint(at)}) {
						sent[at]++
					}
				}
				at = min(at+1, log)
			}
		}
		if sent != written {
			t.Fatalf("sent %v\nof %v", sent, written)
		}
	})
}

func decoded(d *Dedup) (Dedup, error) {
	c, err := Decode(d.Append(nil, 1<<20))
	return *c, err
}

// TestSpansThatMeetAreOne: a jump costs a place in the commits only until it is
// caught up with.
func TestSpansThatMeetAreOne(t *testing.T) {
	var d Dedup
	for _, o := range []Origin{
		{Input{"t", 0, 0}, Position{1, 41}, Position{1, 40}, "a"},
		{Input{"t", 0, 50}, Position{1, 61}, Position{1, 60}, "b"},
		{Input{"t", 1, 7}, Position{1, 8}, Position{1, 7}, "c"},
		{Input{"t", 0, 30}, Position{1, 51}, Position{1, 50}, "d"},
	} {
		d.Seen(o)
	}
	if k := d.inputs[Input{"t", 0, 0}]; len(d.inputs) != 2 || k == nil || k.done.Offset != 60 {
		t.Errorf("%+v", d.inputs)
	}
}

func TestWithoutATopicIDNothingIsDropped(t *testing.T) {
	var m Dedup
	w := Origin{From: Position{1, 1}, Delivery: "a"}
	for range 2 {
		if m.Seen(w) {
			t.Fatal("dropped without knowing the input")
		}
	}
}

func TestPositionsOfANewerEpochAreNew(t *testing.T) {
	var m Dedup
	m.Seen(Origin{Input: Input{Topic: "t"}, From: Position{5, 100}, Done: Position{5, 100}, Delivery: "a"})
	if m.Seen(Origin{Input: Input{Topic: "t"}, From: Position{6, 90}, Done: Position{5, 80}, Delivery: "b"}) {
		t.Fatal("a record that an unclean election put in place was taken for the old one")
	}
	if !(Position{-1, 90}).Before(Position{5, 100}) || (Position{-1, 110}).Before(Position{5, 100}) {
		t.Fatal("without an epoch the offset decides")
	}
}

func TestEncodingDropsWhatDoesNotFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m Dedup
		for range rapid.IntRange(0, 60).Draw(t, "n") {
			m.Seen(Origin{
				Input: Input{rapid.SampledFrom([]string{"x", "yy", "AAAAAAAAAAAAAAAAAAAAAA"}).Draw(t, "topic"), rapid.Int32Range(0, 3).Draw(t, "p"), rapid.SampledFrom([]int64{0, 0, 7, 300}).Draw(t, "begin")},
				From:  Position{rapid.Int32Range(-1, 3).Draw(t, "e"), rapid.Int64Range(0, 1000).Draw(t, "o")},
				Done:  Position{rapid.Int32Range(-1, 3).Draw(t, "de"), rapid.Int64Range(0, 500).Draw(t, "do")}, Delivery: fmt.Sprint("dl_", rapid.IntRange(0, 99).Draw(t, "id")),
			})
		}
		full, err := Decode(m.Append(nil, 1<<20))
		if err != nil {
			t.Fatal(err)
		}
		if !same(full, &m) {
			t.Fatalf("decoded %v, want %v", full, &m)
		}
		limit := rapid.IntRange(0, 300).Draw(t, "limit")
		b := m.Append(nil, limit)
		if len(b) > limit {
			t.Fatalf("%d bytes for a limit of %d", len(b), limit)
		}
		part, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		for input, k := range part.inputs {
			if m.inputs[input].done != k.done {
				t.Fatal("a mark changed")
			}
			for id := range k.ids {
				if _, ok := m.inputs[input].ids[id]; !ok {
					t.Fatal("an id appeared")
				}
			}
		}
	})
}

// TestCommitCarriesHundredsOfIDs: while the group of the sources cannot
// commit, every delivery that is made stays open, and after a crash all of them
// are written again. 18 inputs are what three topics of six partitions are.
func TestCommitCarriesHundredsOfIDs(t *testing.T) {
	var m Dedup
	const most = 240
	for i := range most {
		topic := fmt.Sprintf("AAAAAAAAAAAAAAAAAAAAA%d", i%3)
		m.Seen(Origin{
			Input: Input{Topic: topic, Partition: int32(i / 3 % 6)}, From: Position{7, int64(1_000_000 + 40*i)}, Done: Position{7, 999_000},
			Delivery: fmt.Sprintf("dl_%026d", i),
		})
	}
	const room = 2900 // bytes, of 4,000 characters of base64 that also bind the offset
	kept, err := Decode(m.Append(nil, room))
	if err != nil {
		t.Fatal(err)
	}
	if !same(kept, &m) {
		n := 0
		for _, k := range kept.inputs {
			n += len(k.ids)
		}
		t.Errorf("%d of %d ids in %d inputs fit into %d bytes", n, most, len(kept.inputs), room)
	}
}

func FuzzDecodeNeverPanics(f *testing.F) {
	var m Dedup
	m.Seen(write(1, 0, "a"))
	f.Add(m.Append(nil, 1000))
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = Decode(b) })
}

// needed are the ids that are still needed, in the order in which they came.
func needed(k *inputState) []arrived {
	return slices.DeleteFunc(slices.Clone(k.order), func(a arrived) bool { return a.from.Before(k.done) })
}

func same(a, b *Dedup) bool {
	if len(a.inputs) != len(b.inputs) {
		return false
	}
	for input, k := range a.inputs {
		o := b.inputs[input]
		if o == nil || o.done != k.done || !slices.Equal(needed(k), needed(o)) {
			return false
		}
	}
	return true
}

// The model: an input partition is matched by a succession of owners that
// crash between writing and committing, come back with other rules, are
// replaced while they still write, and have their offsets rewound. The outbox
// partition is read by a succession of readers that restore the marks of a
// commit. Whatever the schedule: every alert that the last owner to settle its
// record raised is in the outbox and is delivered at least once; only alerts
// that were acknowledged before are dropped.
func TestNeverALostAlertUnderAnySchedule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		input := Input{Topic: "topic-id"}
		const records = 30
		var log []Origin            // the outbox partition
		committed := Position{1, 0} // of the input
		rules := 1
		raises := func(offset int64, version int) []string {
			var ids []string
			for r := range 3 {
				if (offset+int64(r)*int64(version))%4 == 0 {
					ids = append(ids, fmt.Sprintf("dl-%d-%d", offset, r))
				}
			}
			return ids
		}
		promised := map[string]bool{} // alerts of records below a commit: they must reach someone
		high := int64(0)              // rewinding below this alerts nobody again
		type owner struct {
			at, done Position
			rules    int
			pending  []string // acknowledged since its last commit
		}
		newOwner := func() *owner { return &owner{at: committed, done: committed, rules: rules} }
		cur, former := newOwner(), (*owner)(nil)
		step := func(o *owner) {
			if o.at.Offset >= records {
				return
			}
			for _, id := range raises(o.at.Offset, o.rules) {
				if rapid.IntRange(0, 9).Draw(t, "refused") == 0 {
					return // a refused write: the owner stays where it is and writes again
				}
				log = append(log, Origin{Input: input, From: o.at, Done: o.done, Delivery: id})
				o.pending = append(o.pending, id)
			}
			o.at.Offset++
		}
		for range rapid.IntRange(20, 200).Draw(t, "steps") {
			switch rapid.IntRange(0, 11).Draw(t, "what") {
			default:
				step(cur)
			case 6:
				if former != nil {
					step(former) // still alive, writing late; it can never commit
				}
			case 7, 8:
				for _, id := range cur.pending {
					promised[id] = promised[id] || offsetOf(id) >= high
				}
				committed, cur.done, cur.pending = cur.at, cur.at, nil
				high = max(high, committed.Offset)
			case 9:
				former, cur = cur, newOwner() // crash or rebalance
			case 10:
				rules++
				cur = newOwner()
			case 11:
				if rapid.IntRange(0, 5).Draw(t, "rewind") == 0 {
					committed = Position{1, rapid.Int64Range(0, committed.Offset).Draw(t, "to")}
					cur, former = newOwner(), nil
				}
			}
		}
		delivered := map[string]int{}
		var base Dedup // as of the watermark
		live := base.Clone()
		mark := 0
		for i := 0; i < len(log); i++ {
			if rapid.IntRange(0, 19).Draw(t, "reader dies") == 0 { // back to its last commit
				restored, err := Decode(base.Append(nil, rapid.SampledFrom([]int{0, 40, 1 << 20}).Draw(t, "limit")))
				if err != nil {
					t.Fatal(err)
				}
				live, i = restored, mark
			}
			if !live.Seen(log[i]) {
				delivered[log[i].Delivery]++
			}
			if rapid.IntRange(0, 2).Draw(t, "reader commits") == 0 {
				for ; mark <= i; mark++ {
					base.Seen(log[mark])
				}
			}
		}
		for id, must := range promised {
			if must && delivered[id] == 0 {
				t.Fatalf("%s was acknowledged and committed, and nobody got it", id)
			}
		}
		seen := map[string]bool{}
		for _, w := range log {
			seen[w.Delivery] = true
		}
		for id := range seen {
			if delivered[id] == 0 && !promised[id] {
				// Dropped although never promised: allowed only when a commit
				// stands above it, that is when its record was settled with
				// other rules.
				above := false
				for _, w := range log {
					above = above || w.Done.Offset > offsetOf(id)
				}
				if !above {
					t.Fatalf("%s was dropped though nothing was committed beyond it", id)
				}
			}
		}
	})
}

func offsetOf(id string) (offset int64) {
	_, _ = fmt.Sscanf(id, "dl-%d-", &offset)
	return offset
}

// TestNewestIDsAreKept: what a writer did last is what it does again
// after a crash.
func TestNewestIDsAreKept(t *testing.T) {
	var d Dedup
	for i := range int64(100) {
		d.Seen(write(i, 0, fmt.Sprint(i)))
	}
	kept, err := Decode(d.Append(nil, 300))
	if err != nil {
		t.Fatal(err)
	}
	order := kept.inputs[Input{Topic: "t"}].order
	if n := len(order); n < 20 || n > 40 || order[n-1].from.Offset != 99 || order[0].from.Offset != int64(100-n) {
		t.Errorf("%d ids are kept, from %v to %v", n, order[0].from, order[n-1].from)
	}
}

// TestForgottenIDsLeaveNoMemory: an input's ids leave as its commits move on.
func TestForgottenIDsLeaveNoMemory(t *testing.T) {
	var d Dedup
	for i := range int64(10_000) {
		d.Seen(write(i, max(0, i-50), fmt.Sprint(i)))
	}
	k := d.inputs[Input{Topic: "t"}]
	if len(k.ids) > 51 || len(k.order) > 51 || cap(k.order) > 500 {
		t.Errorf("%d ids are known, %d in order, room for %d", len(k.ids), len(k.order), cap(k.order))
	}
}
