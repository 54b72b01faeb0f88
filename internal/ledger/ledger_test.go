package ledger

import (
	"slices"
	"testing"
	"time"
)

const hook = "hook"

// book is a ledger with a clock that continues by itself.
type book struct {
	*Ledger
	now time.Time
}

func newBook() *book { return &book{New(), time.Unix(1_000_000, 0)} }

func (b *book) later() time.Time {
	b.now = b.now.Add(time.Millisecond)
	return b.now
}

// expect enters n alerts of one lane.
func (b *book) expect(key string, n int) []*Delivery {
	var list []*Delivery
	for range n {
		b.Event()
		list = append(list, b.Expect(Lane{hook, key}, false, b.later()))
	}
	return list
}

func (b *book) expectRefused(key string) *Delivery {
	b.Event()
	return b.Expect(Lane{hook, key}, true, b.later())
}

func id(d *Delivery) string { return d.String() }

func (b *book) try(d *Delivery) { b.Attempt(d, id(d)) }

func (b *book) take(all ...*Delivery) {
	for _, d := range all {
		b.try(d)
		b.Took(d, b.later(), false)
	}
}

func (b *book) kill() { b.Disturb(Disturbance{At: b.later(), What: "kill"}) }

func deadLetter(d *Delivery, reason string) DeadLetter {
	return DeadLetter{ID: id(d), Index: -1, Reason: reason, State: "open"}
}

func closed(l DeadLetter) DeadLetter {
	l.Closed, l.State = true, "resolved"
	return l
}

// kinds returns the kinds of the failures, each once.
func kinds(v *Verdict) []Kind {
	var all []Kind
	for _, f := range v.Failures {
		if !slices.Contains(all, f.Kind) {
			all = append(all, f.Kind)
		}
	}
	return all
}

var bound = Terms{PerDisturbance: map[string]int{hook: 1}, Marked: true, Reasons: []string{"exhausted"}}

func TestJudgeFindsEachBrokenPromise(t *testing.T) {
	for name, c := range map[string]struct {
		run  func(*book) []DeadLetter
		want []Kind
	}{
		"all is well": {func(b *book) []DeadLetter { b.take(b.expect("k", 2)...); return nil }, nil},
		"one is lost": {func(b *book) []DeadLetter { b.take(b.expect("k", 2)[0]); return nil }, []Kind{Lost}},
		"a dead letter is closed without a delivery": {func(b *book) []DeadLetter {
			d := b.expectRefused("k")
			b.try(d)
			return []DeadLetter{closed(deadLetter(d, "refused"))}
		}, []Kind{Lost}},
		"a dead letter is closed after a delivery": {func(b *book) []DeadLetter {
			d := b.expectRefused("k")
			b.take(d)
			return []DeadLetter{closed(deadLetter(d, "refused"))}
		}, nil},
		"a good alert has a dead letter": {func(b *book) []DeadLetter {
			d := b.expect("k", 1)[0]
			b.try(d)
			return []DeadLetter{deadLetter(d, "refused")}
		}, []Kind{WrongDeadLetter}},
		"a dead letter is malformed": {func(*book) []DeadLetter { return []DeadLetter{{ID: "x", Index: -1, Malformed: true}} }, []Kind{WrongDeadLetter}},
		"a dead letter stays open after a delivery": {func(b *book) []DeadLetter {
			d := b.expectRefused("k")
			b.take(d)
			return []DeadLetter{deadLetter(d, "refused")}
		}, []Kind{WrongDeadLetter}},
		"a dead letter is known by its lane": {func(b *book) []DeadLetter {
			d := b.expectRefused("k")
			return []DeadLetter{{ID: "x", Lane: d.Lane, Index: d.Index, Reason: "refused"}}
		}, nil},
		"poison has no dead letter": {func(b *book) []DeadLetter { b.Poisoned("t").Place.Offset = 7; return nil }, []Kind{Lost}},
		"poison has one": {func(b *book) []DeadLetter {
			b.Poisoned("t").Place.Offset = 7
			return []DeadLetter{{ID: "re", Index: -1, Source: Place{Topic: "t", Offset: 7}}}
		}, nil},
		"poison has the one of another record": {func(b *book) []DeadLetter {
			b.Poisoned("t").Place.Offset = 7
			return []DeadLetter{{ID: "re", Index: -1, Source: Place{Topic: "t", Offset: 8}}}
		}, []Kind{Lost}},
		"two of a lane are taken the other way round": {func(b *book) []DeadLetter { l := b.expect("k", 2); b.take(l[1], l[0]); return nil }, []Kind{Disordered}},
		"the second is tried before the first is taken": {func(b *book) []DeadLetter {
			l := b.expect("k", 2)
			b.try(l[0])
			b.try(l[1])
			b.take(l...)
			return nil
		}, []Kind{Disordered}},
		"they are entered in order and were taken the other way round": {func(b *book) []DeadLetter {
			l := b.expect("k", 2)
			late := b.later()
			b.try(l[0])
			b.Took(l[0], late.Add(time.Second), false)
			b.try(l[1])
			b.Took(l[1], late, false)
			return nil
		}, []Kind{Disordered}},
		"the later one's arrival is seen first": {func(b *book) []DeadLetter {
			l := b.expect("k", 2)
			first, second := b.later(), b.later()
			b.Arrived(l[1], id(l[1]))
			b.Took(l[1], second, false)
			b.Arrived(l[0], id(l[0]))
			b.Took(l[0], first, false)
			return nil
		}, nil},
		"the later one arrives first": {func(b *book) []DeadLetter {
			l := b.expect("k", 2)
			first, second := b.later(), b.later()
			b.Arrived(l[1], id(l[1]))
			b.Took(l[1], first, false)
			b.Arrived(l[0], id(l[0]))
			b.Took(l[0], second, false)
			return nil
		}, []Kind{Disordered}},
		"the empty key is no lane":              {func(b *book) []DeadLetter { l := b.expect("", 2); b.take(l[1], l[0]); return nil }, nil},
		"one comes twice without a disturbance": {func(b *book) []DeadLetter { d := b.expect("k", 1)[0]; b.take(d, d); return nil }, []Kind{Duplicated}},
		"more duplicates than one disturbance may cause": {func(b *book) []DeadLetter {
			l := b.expect("k", 2)
			b.take(l...)
			b.kill()
			b.take(l...)
			return nil
		}, []Kind{Duplicated}},
		"each disturbance counts for itself": {func(b *book) []DeadLetter {
			l := b.expect("k", 2)
			b.take(l[0])
			b.kill()
			b.take(l...)
			b.kill()
			b.take(l[1])
			return nil
		}, nil},
		"one comes under two ids":           {func(b *book) []DeadLetter { d := b.expect("k", 1)[0]; b.take(d); b.Attempt(d, "other"); return nil }, []Kind{Mistake}},
		"a log is not committed to its end": {func(b *book) []DeadLetter { b.Committed("g", Place{"t", 0, 7}, 6); return nil }, []Kind{Uncommitted}},
		"more is committed than there is":   {func(b *book) []DeadLetter { b.Committed("g", Place{"t", 0, 7}, 8); return nil }, []Kind{Uncommitted}},
		"all is committed":                  {func(b *book) []DeadLetter { b.Committed("g", Place{"t", 0, 7}, 7); return nil }, nil},
	} {
		b := newBook()
		entries := c.run(b)
		if v := b.Judge(entries, bound); !slices.Equal(kinds(v), c.want) {
			t.Errorf("%s: %v, want %v", name, v.Failures, c.want)
		}
	}
}

// TestExcusesCoverOnlyTheirCase: each excuse in a case that it covers, and in a
// similar one that it does not.
func TestExcusesCoverOnlyTheirCase(t *testing.T) {
	for name, c := range map[string]struct {
		run  func(*book) []DeadLetter
		want []Kind
	}{
		"gone with its outbox": {func(b *book) []DeadLetter { b.expect("k", 1)[0].Gone = true; return nil }, nil},
		"gone, and its neighbour is not": {func(b *book) []DeadLetter {
			b.expect("k", 2)[0].Gone = true
			return nil
		}, []Kind{Lost}},
		"gone, and the next is delivered": {func(b *book) []DeadLetter {
			l := b.expect("k", 2)
			l[0].Gone = true
			b.take(l[1])
			return nil
		}, nil},
		"gone, and sent twice without a disturbance": {func(b *book) []DeadLetter {
			d := b.expect("k", 1)[0]
			d.Gone = true
			b.take(d, d)
			return nil
		}, []Kind{Duplicated}},
		"moved, and taken there": {func(b *book) []DeadLetter {
			l := b.expect("k", 2)
			to := b.Expect(Lane{"desk", "k"}, false, b.later())
			l[0].MovedTo = to
			b.take(to, l[1])
			return nil
		}, nil},
		"moved, and deleted there": {func(b *book) []DeadLetter {
			l := b.expect("k", 2)
			l[0].MovedTo = b.Expect(Lane{"desk", "k"}, false, b.later())
			l[0].MovedTo.Gone = true
			b.take(l[1])
			return nil
		}, nil},
		"moved there and back, and taken behind the next": {func(b *book) []DeadLetter {
			l := b.expect("k", 2)
			there := b.Expect(Lane{"desk", "k"}, false, b.later())
			l[0].MovedTo, there.MovedTo = there, l[0]
			b.take(l[1], l[0])
			return nil
		}, nil},
		"moved there and back, and not taken": {func(b *book) []DeadLetter {
			d := b.expect("k", 1)[0]
			there := b.Expect(Lane{"desk", "k"}, false, b.later())
			d.MovedTo, there.MovedTo = there, d
			return nil
		}, []Kind{Lost}},
		"moved, and not taken there": {func(b *book) []DeadLetter {
			d := b.expect("k", 1)[0]
			d.MovedTo = b.Expect(Lane{"desk", "k"}, false, b.later())
			return nil
		}, []Kind{Lost}},
		"passed by its lane as a dead letter": {func(b *book) []DeadLetter {
			d, next := b.expectRefused("k"), b.expect("k", 1)
			b.try(d)
			b.take(next...)
			return []DeadLetter{deadLetter(d, "refused")}
		}, nil},
		"sent again from the dead letters behind the next": {func(b *book) []DeadLetter {
			d, next := b.expectRefused("k"), b.expect("k", 1)
			b.try(d)
			b.take(next...)
			b.take(d)
			return []DeadLetter{closed(deadLetter(d, "refused"))}
		}, nil},
		"passed by, with the dead letter of another": {func(b *book) []DeadLetter {
			d, next := b.expect("k", 1)[0], b.expectRefused("k")
			b.try(d)
			b.try(next)
			b.take(d)
			return []DeadLetter{deadLetter(next, "refused")}
		}, []Kind{Disordered}},
		"overtaken in its outbox": {func(b *book) []DeadLetter {
			l := b.expect("k", 2)
			l[0].Overtaken = true
			b.try(l[1])
			b.take(l[1], l[0])
			return nil
		}, nil},
		"behind one that overtook another": {func(b *book) []DeadLetter {
			l := b.expect("k", 3)
			l[0].Overtaken = true
			b.try(l[2])
			b.take(l[2], l[1], l[0])
			return nil
		}, []Kind{Disordered}},
		"a reason that is allowed": {func(b *book) []DeadLetter { return []DeadLetter{deadLetter(tried(b), "exhausted")} }, nil},
		"a reason that is not":     {func(b *book) []DeadLetter { return []DeadLetter{deadLetter(tried(b), "schema")} }, []Kind{WrongDeadLetter}},
		"again after a disturbance": {func(b *book) []DeadLetter {
			d := b.expect("k", 1)[0]
			b.take(d)
			b.kill()
			b.take(d)
			return nil
		}, nil},
		"moved here as well": {func(b *book) []DeadLetter {
			d := b.expect("k", 1)[0]
			b.take(d)
			b.TookMoved(d, 1, b.later(), false)
			return nil
		}, nil},
		"moved here between, and again after a disturbance": {func(b *book) []DeadLetter {
			d := b.expect("k", 1)[0]
			b.take(d)
			b.kill()
			again := b.later()
			b.TookMoved(d, 1, b.later(), false)
			b.Took(d, again, false)
			return nil
		}, nil},
		"moved here between, and again without one": {func(b *book) []DeadLetter {
			d := b.expect("k", 1)[0]
			b.kill()
			b.take(d)
			b.TookMoved(d, 1, b.later(), false)
			b.take(d)
			return nil
		}, []Kind{Duplicated}},
		"moved here as well, and there and back": {func(b *book) []DeadLetter {
			d := b.expect("k", 1)[0]
			b.take(d)
			b.TookMoved(d, 1, b.later(), false)
			b.TookMoved(d, 2, b.later(), false)
			return nil
		}, nil},
		"moved there and back, and taken so twice": {func(b *book) []DeadLetter {
			d := b.expect("k", 1)[0]
			b.TookMoved(d, 2, b.later(), false)
			b.TookMoved(d, 2, b.later(), false)
			return nil
		}, []Kind{Duplicated}},
		"moved here, and taken so twice": {func(b *book) []DeadLetter {
			d := b.expect("k", 1)[0]
			b.TookMoved(d, 1, b.later(), false)
			b.TookMoved(d, 1, b.later(), false)
			return nil
		}, []Kind{Duplicated}},
		"a disturbance before the first": {func(b *book) []DeadLetter {
			d := b.expect("k", 1)[0]
			b.kill()
			b.take(d, d)
			return nil
		}, []Kind{Duplicated}},
		"a disturbance before the first, within its slack": {func(b *book) []DeadLetter {
			d := b.expect("k", 1)[0]
			b.Disturb(Disturbance{At: b.later(), What: "kill", Slack: 5 * time.Millisecond})
			b.take(d, d)
			return nil
		}, nil},
		"a disturbance after the second": {func(b *book) []DeadLetter {
			d := b.expect("k", 1)[0]
			b.take(d, d)
			b.kill()
			return nil
		}, []Kind{Duplicated}},
		"again after an unclear answer, and says so": {func(b *book) []DeadLetter {
			d := b.expect("k", 1)[0]
			b.take(d)
			b.Took(d, b.later(), true)
			return nil
		}, nil},
	} {
		b := newBook()
		entries := c.run(b)
		if v := b.Judge(entries, bound); !slices.Equal(kinds(v), c.want) {
			t.Errorf("%s: %v, want %v", name, v.Failures, c.want)
		}
	}
}

func tried(b *book) *Delivery {
	d := b.expect("k", 1)[0]
	b.try(d)
	return d
}

func TestUnsetTermsExcuseNothing(t *testing.T) {
	b := newBook()
	d := b.expect("k", 1)[0]
	b.take(d)
	b.Took(d, b.later(), true)
	if v := b.Judge([]DeadLetter{deadLetter(d, "exhausted")}, Terms{}); !slices.Equal(kinds(v), []Kind{WrongDeadLetter, Duplicated}) {
		t.Error(v.Failures)
	}
	if v := b.Judge([]DeadLetter{deadLetter(d, "exhausted")}, Terms{Marked: true, Superfluous: true, Reasons: []string{"exhausted"}}); !v.OK() {
		t.Error(v.Failures)
	}
}

func TestShareBoundsDuplicatesUnderChurn(t *testing.T) {
	b := newBook()
	l := b.expect("k", 10)
	b.take(l...)
	b.take(l[0])
	if v := b.Judge(nil, Terms{Share: 0.1}); !v.OK() {
		t.Error(v.Failures)
	}
	if v := b.Judge(nil, Terms{Share: 0.09}); !slices.Equal(kinds(v), []Kind{Duplicated}) {
		t.Error(v.Failures)
	}
}

func TestOpenCountsDeliveriesWithoutOutcome(t *testing.T) {
	b := newBook()
	l := b.expect("k", 3)
	b.expectRefused("k")
	b.take(l[1])
	if n, oldest := b.Open(); n != 2 || oldest != l[0] {
		t.Error(n, oldest)
	}
	b.DeadLettered([]DeadLetter{{ID: "x", Lane: l[0].Lane, Index: 0}})
	if n, oldest := b.Open(); n != 1 || oldest != l[2] {
		t.Error(n, oldest)
	}
	if n := b.Behind(); n != 2 {
		t.Errorf("%d are behind, of 4 with one taken and one refused", n)
	}
}
