package ledger

import (
	"bytes"
	"fmt"
	"time"
)

// Kind is what kind of promise was broken.
type Kind string

// The kinds of failures.
const (
	Lost            Kind = "lost"
	Disordered      Kind = "order"
	Duplicated      Kind = "duplicate"
	WrongDeadLetter Kind = "dead letter"
	Uncommitted     Kind = "commit"
	Mistake         Kind = "mistake"
)

// Failure is one broken promise.
type Failure struct {
	Kind Kind
	Text string
}

func (f Failure) String() string { return string(f.Kind) + ": " + f.Text }

// Terms are what a run allows.
type Terms struct {
	// PerDisturbance is how many duplicates on a channel each disturbance may cause:
	// what was in flight and what was not committed.
	PerDisturbance map[string]int
	// Share, if set, bounds the duplicates by a part of the deliveries instead.
	Share float64
	// Marked allows duplicates whose message says that it may be one.
	Marked bool
	// Reasons are the allowed reasons of dead letters of deliveries that the provider
	// would take.
	Reasons []string
	// Superfluous allows open dead letters of delivered alerts: a frozen owner may
	// write one.
	Superfluous bool
}

// Verdict is the result of a run.
type Verdict struct {
	Events, Deliveries, DeadLetters int
	Lost, Disordered                int
	Duplicates, Marked              int
	Worst, Bound                    int // duplicates after one disturbance, and how many may be
	Share                           float64
	Disturbances                    int
	Failures                        []Failure // the first 30
}

// OK reports whether no promise was broken.
func (v *Verdict) OK() bool { return len(v.Failures) == 0 }

// Fail adds a failure.
func (v *Verdict) Fail(k Kind, format string, args ...any) {
	if len(v.Failures) < 30 {
		v.Failures = append(v.Failures, Failure{k, fmt.Sprintf(format, args...)})
	}
}

// Judge compares what was expected with what happened, at the end of a run.
func (l *Ledger) Judge(entries []DeadLetter, t Terms) *Verdict {
	l.DeadLettered(entries)
	v := &Verdict{Events: l.events, Deliveries: l.delivered, DeadLetters: len(entries), Disturbances: len(l.disturbances), Share: t.Share}
	for _, f := range l.wrong {
		v.Fail(f.Kind, "%s", f.Text)
	}
	l.judgeLosses(v, entries, t)
	l.judgeOrder(v)
	l.judgeDuplicates(v, t)
	return v
}

func (l *Ledger) judgeLosses(v *Verdict, entries []DeadLetter, t Terms) {
	last := make(map[*Delivery]DeadLetter)
	for _, entry := range entries {
		if entry.Malformed {
			v.Fail(WrongDeadLetter, "it is malformed: %+v", entry)
		}
		if d := l.of(entry); d != nil {
			last[d] = entry
		}
	}
	for _, d := range l.all {
		entry, dead := last[d]
		switch {
		case d.takes > 0 && dead && !entry.Closed && !superfluous(t):
			v.Fail(WrongDeadLetter, "delivered, and %s is %s: %s", entry.ID, entry.State, d)
		case d.takes > 0 || dead && !entry.Closed || excusedLoss(d):
		case dead:
			v.Lost++
			v.Fail(Lost, "its dead letter is %s and nothing was delivered: %s", entry.State, d)
		default:
			v.Lost++
			v.Fail(Lost, "%s", d)
		}
		if dead && !refusedByProvider(d) && !reasonAllowed(entry, t) {
			v.Fail(WrongDeadLetter, "%s (%s) is about a delivery that the provider would have taken: %s", entry.ID, entry.Reason, d)
		}
	}
	for _, p := range l.poison {
		if !p.dead {
			v.Lost++
			v.Fail(Lost, "no dead letter for %s", p.Place)
		}
	}
}

// judgeOrder: no delivery is attempted before the one before it in its lane has its
// outcome, nor taken before that one.
func (l *Ledger) judgeOrder(v *Verdict) {
	for _, d := range l.all {
		if d.passed && !excusedOrder(d) {
			v.Disordered++
			v.Fail(Disordered, "the next was attempted before it was taken: %s", d)
		}
	}
	for name, in := range l.lanes {
		var last *Delivery
		for _, d := range in.list {
			if name.Key == "" || d.takes == 0 || excusedOrder(d) {
				continue
			}
			if last != nil && d.firstTook.Before(last.firstTook) {
				v.Disordered++
				v.Fail(Disordered, "%s was taken after %s", last, d)
			}
			last = d
		}
	}
}

func (l *Ledger) judgeDuplicates(v *Verdict, t Terms) {
	v.Duplicates = len(l.duplicates)
	if t.Share > 0 {
		if float64(v.Duplicates) > t.Share*float64(v.Deliveries) {
			v.Fail(Duplicated, "%d of %d deliveries are duplicates, more than %.0f %%", v.Duplicates, v.Deliveries, 100*t.Share)
		}
		return
	}
	for _, n := range t.PerDisturbance {
		v.Bound += n
	}
	counts := make([]map[string]int, len(l.disturbances))
	for _, r := range l.duplicates {
		i := disturbedBy(r, l.disturbances)
		switch {
		case i >= 0:
			if counts[i] == nil {
				counts[i] = make(map[string]int)
			}
			counts[i][r.delivery.Lane.Channel]++
		case ambiguous(r, t):
			v.Marked++
		default:
			v.Fail(Duplicated, "without a disturbance: %s at %s, again at %s", r.delivery, r.first.Format(clock), r.again.Format(clock))
		}
	}
	for i, of := range counts {
		sum := 0
		for channel, n := range of {
			sum += n
			if n > t.PerDisturbance[channel] {
				v.Fail(Duplicated, "%s: %d duplicates on %s, %d are allowed", l.disturbances[i].What, n, channel, t.PerDisturbance[channel])
			}
		}
		v.Worst = max(v.Worst, sum)
	}
}

const clock = "15:04:05.000"

// Account lists the disturbances and the duplicates with their times.
func (l *Ledger) Account() []byte {
	var b bytes.Buffer
	at := func(t time.Time) string { return t.UTC().Format(clock) }
	for _, d := range l.disturbances {
		fmt.Fprintf(&b, "%s %s\n", at(d.At), d.What)
	}
	for _, r := range l.duplicates {
		fmt.Fprintf(&b, "%s again, first %s: %s %s\n", at(r.again), at(r.first), r.delivery, r.delivery.id)
	}
	return b.Bytes()
}
