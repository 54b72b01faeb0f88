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

// owes n alerts of one lane.
func (b *book) owes(key string, n int) []*Delivery {
	var list []*Delivery
	for range n {
		b.Event()
		list = append(list, b.Owe(Lane{hook, key}, false, b.later()))
	}
	return list
}

func (b *book) owesRefused(key string) *Delivery {
	b.Event()
	return b.Owe(Lane{hook, key}, true, b.later())
}

func id(d *Delivery) string { return d.String() }

func (b *book) tries(d *Delivery) { b.Attempt(d, id(d)) }

func (b *book) takes(all ...*Delivery) {
	for _, d := range all {
		b.tries(d)
		b.Took(d, b.later(), false)
	}
}

func (b *book) kill() { b.Disturb(Disturbance{At: b.later(), What: "kill"}) }

func letter(d *Delivery, reason string) Letter {
	return Letter{ID: id(d), Index: -1, Reason: reason, State: "open"}
}

func closed(l Letter) Letter {
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
		run  func(*book) []Letter
		want []Kind
	}{
		"all is well": {func(b *book) []Letter { b.takes(b.owes("k", 2)...); return nil }, nil},
		"one is lost": {func(b *book) []Letter { b.takes(b.owes("k", 2)[0]); return nil }, []Kind{Lost}},
		"a dead letter is closed without a delivery": {func(b *book) []Letter {
			d := b.owesRefused("k")
			b.tries(d)
			return []Letter{closed(letter(d, "refused"))}
		}, []Kind{Lost}},
		"a dead letter is closed after a delivery": {func(b *book) []Letter {
			d := b.owesRefused("k")
			b.takes(d)
			return []Letter{closed(letter(d, "refused"))}
		}, nil},
		"a good alert has a dead letter": {func(b *book) []Letter {
			d := b.owes("k", 1)[0]
			b.tries(d)
			return []Letter{letter(d, "refused")}
		}, []Kind{WrongLetter}},
		"a dead letter is malformed": {func(*book) []Letter { return []Letter{{ID: "x", Index: -1, Malformed: true}} }, []Kind{WrongLetter}},
		"a dead letter stays open after a delivery": {func(b *book) []Letter {
			d := b.owesRefused("k")
			b.takes(d)
			return []Letter{letter(d, "refused")}
		}, []Kind{WrongLetter}},
		"a dead letter is known by its lane": {func(b *book) []Letter {
			d := b.owesRefused("k")
			return []Letter{{ID: "x", Lane: d.Lane, Index: d.Index, Reason: "refused"}}
		}, nil},
		"poison has no dead letter": {func(b *book) []Letter { b.Poisoned("t").Place.Offset = 7; return nil }, []Kind{Lost}},
		"poison has one": {func(b *book) []Letter {
			b.Poisoned("t").Place.Offset = 7
			return []Letter{{ID: "re", Index: -1, Source: Place{Topic: "t", Offset: 7}}}
		}, nil},
		"poison has the one of another record": {func(b *book) []Letter {
			b.Poisoned("t").Place.Offset = 7
			return []Letter{{ID: "re", Index: -1, Source: Place{Topic: "t", Offset: 8}}}
		}, []Kind{Lost}},
		"two of a lane are taken the other way round": {func(b *book) []Letter { l := b.owes("k", 2); b.takes(l[1], l[0]); return nil }, []Kind{Disordered}},
		"the second is tried before the first is taken": {func(b *book) []Letter {
			l := b.owes("k", 2)
			b.tries(l[0])
			b.tries(l[1])
			b.takes(l...)
			return nil
		}, []Kind{Disordered}},
		"they are entered in order and were taken the other way round": {func(b *book) []Letter {
			l := b.owes("k", 2)
			late := b.later()
			b.tries(l[0])
			b.Took(l[0], late.Add(time.Second), false)
			b.tries(l[1])
			b.Took(l[1], late, false)
			return nil
		}, []Kind{Disordered}},
		"the empty key is no lane":    {func(b *book) []Letter { l := b.owes("", 2); b.takes(l[1], l[0]); return nil }, nil},
		"one comes twice for nothing": {func(b *book) []Letter { d := b.owes("k", 1)[0]; b.takes(d, d); return nil }, []Kind{Duplicated}},
		"more come twice than one disturbance may repeat": {func(b *book) []Letter {
			l := b.owes("k", 2)
			b.takes(l...)
			b.kill()
			b.takes(l...)
			return nil
		}, []Kind{Duplicated}},
		"each disturbance counts for itself": {func(b *book) []Letter {
			l := b.owes("k", 2)
			b.takes(l[0])
			b.kill()
			b.takes(l...)
			b.kill()
			b.takes(l[1])
			return nil
		}, nil},
		"one comes under two ids":           {func(b *book) []Letter { d := b.owes("k", 1)[0]; b.takes(d); b.Attempt(d, "other"); return nil }, []Kind{Mistake}},
		"a log is not committed to its end": {func(b *book) []Letter { b.Committed("g", Place{"t", 0, 7}, 6); return nil }, []Kind{Uncommitted}},
		"more is committed than there is":   {func(b *book) []Letter { b.Committed("g", Place{"t", 0, 7}, 8); return nil }, []Kind{Uncommitted}},
		"all is committed":                  {func(b *book) []Letter { b.Committed("g", Place{"t", 0, 7}, 7); return nil }, nil},
	} {
		b := newBook()
		letters := c.run(b)
		if v := b.Judge(letters, bound); !slices.Equal(kinds(v), c.want) {
			t.Errorf("%s: %v, want %v", name, v.Failures, c.want)
		}
	}
}

// TestExcusesReachNoFurtherThanTheySay: each excuse where it holds, and next to
// where it ends.
func TestExcusesReachNoFurtherThanTheySay(t *testing.T) {
	for name, c := range map[string]struct {
		run  func(*book) []Letter
		want []Kind
	}{
		"gone with its outbox": {func(b *book) []Letter { b.owes("k", 1)[0].Gone = true; return nil }, nil},
		"gone, and its neighbour is not": {func(b *book) []Letter {
			b.owes("k", 2)[0].Gone = true
			return nil
		}, []Kind{Lost}},
		"gone, and the next goes on": {func(b *book) []Letter {
			l := b.owes("k", 2)
			l[0].Gone = true
			b.takes(l[1])
			return nil
		}, nil},
		"gone, and sent twice for nothing": {func(b *book) []Letter {
			d := b.owes("k", 1)[0]
			d.Gone = true
			b.takes(d, d)
			return nil
		}, []Kind{Duplicated}},
		"moved, and taken there": {func(b *book) []Letter {
			l := b.owes("k", 2)
			to := b.Owe(Lane{"desk", "k"}, false, b.later())
			l[0].MovedTo = to
			b.takes(to, l[1])
			return nil
		}, nil},
		"moved, and not taken there": {func(b *book) []Letter {
			d := b.owes("k", 1)[0]
			d.MovedTo = b.Owe(Lane{"desk", "k"}, false, b.later())
			return nil
		}, []Kind{Lost}},
		"passed by its lane as a dead letter": {func(b *book) []Letter {
			d, next := b.owesRefused("k"), b.owes("k", 1)
			b.tries(d)
			b.takes(next...)
			return []Letter{letter(d, "refused")}
		}, nil},
		"sent again from the dead letters behind the next": {func(b *book) []Letter {
			d, next := b.owesRefused("k"), b.owes("k", 1)
			b.tries(d)
			b.takes(next...)
			b.takes(d)
			return []Letter{closed(letter(d, "refused"))}
		}, nil},
		"passed by, with the dead letter of another": {func(b *book) []Letter {
			d, next := b.owes("k", 1)[0], b.owesRefused("k")
			b.tries(d)
			b.tries(next)
			b.takes(d)
			return []Letter{letter(next, "refused")}
		}, []Kind{Disordered}},
		"a reason that is allowed": {func(b *book) []Letter { return []Letter{letter(tried(b), "exhausted")} }, nil},
		"a reason that is not":     {func(b *book) []Letter { return []Letter{letter(tried(b), "schema")} }, []Kind{WrongLetter}},
		"again after a disturbance": {func(b *book) []Letter {
			d := b.owes("k", 1)[0]
			b.takes(d)
			b.kill()
			b.takes(d)
			return nil
		}, nil},
		"moved here, and again after a disturbance": {func(b *book) []Letter {
			d := b.owes("k", 1)[0]
			b.takes(d)
			inFlight := b.later()
			b.kill()
			b.TookMoved(d, b.later())
			b.Took(d, inFlight, false)
			return nil
		}, nil},
		"moved here, and again without one": {func(b *book) []Letter {
			d := b.owes("k", 1)[0]
			b.kill()
			b.takes(d)
			b.TookMoved(d, b.later())
			b.takes(d)
			return nil
		}, []Kind{Duplicated}},
		"a disturbance before the first": {func(b *book) []Letter {
			d := b.owes("k", 1)[0]
			b.kill()
			b.takes(d, d)
			return nil
		}, []Kind{Duplicated}},
		"a disturbance before the first, within its slack": {func(b *book) []Letter {
			d := b.owes("k", 1)[0]
			b.Disturb(Disturbance{At: b.later(), What: "kill", Slack: 5 * time.Millisecond})
			b.takes(d, d)
			return nil
		}, nil},
		"a disturbance after the second": {func(b *book) []Letter {
			d := b.owes("k", 1)[0]
			b.takes(d, d)
			b.kill()
			return nil
		}, []Kind{Duplicated}},
		"again after an unclear answer, and says so": {func(b *book) []Letter {
			d := b.owes("k", 1)[0]
			b.takes(d)
			b.Took(d, b.later(), true)
			return nil
		}, nil},
	} {
		b := newBook()
		letters := c.run(b)
		if v := b.Judge(letters, bound); !slices.Equal(kinds(v), c.want) {
			t.Errorf("%s: %v, want %v", name, v.Failures, c.want)
		}
	}
}

func tried(b *book) *Delivery {
	d := b.owes("k", 1)[0]
	b.tries(d)
	return d
}

func TestTermsThatAreNotSetExcuseNothing(t *testing.T) {
	b := newBook()
	d := b.owes("k", 1)[0]
	b.takes(d)
	b.Took(d, b.later(), true)
	if v := b.Judge([]Letter{letter(d, "exhausted")}, Terms{}); !slices.Equal(kinds(v), []Kind{WrongLetter, Duplicated}) {
		t.Error(v.Failures)
	}
	if v := b.Judge([]Letter{letter(d, "exhausted")}, Terms{Marked: true, Superfluous: true, Reasons: []string{"exhausted"}}); !v.OK() {
		t.Error(v.Failures)
	}
}

func TestShareBoundsDuplicatesUnderChurn(t *testing.T) {
	b := newBook()
	l := b.owes("k", 10)
	b.takes(l...)
	b.takes(l[0])
	if v := b.Judge(nil, Terms{Share: 0.1}); !v.OK() {
		t.Error(v.Failures)
	}
	if v := b.Judge(nil, Terms{Share: 0.09}); !slices.Equal(kinds(v), []Kind{Duplicated}) {
		t.Error(v.Failures)
	}
}

func TestOpenCountsWhatHasNoOutcome(t *testing.T) {
	b := newBook()
	l := b.owes("k", 3)
	b.owesRefused("k")
	b.takes(l[1])
	if n, oldest := b.Open(); n != 2 || oldest != l[0] {
		t.Error(n, oldest)
	}
	b.Bury([]Letter{{ID: "x", Lane: l[0].Lane, Index: 0}})
	if n, oldest := b.Open(); n != 1 || oldest != l[2] {
		t.Error(n, oldest)
	}
	if n := b.Behind(); n != 2 {
		t.Errorf("%d are behind, of 4 of which one is taken and one refused", n)
	}
}
