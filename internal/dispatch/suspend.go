package dispatch

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/outcome"
)

const (
	// defectAfter is how many messages in a row a provider refuses before that is
	// taken for a defect of ours: of one rule, with no success of that rule between,
	// the rule is suspended; of several, with no success at all, the channel is.
	defectAfter = 20
	// perRule is how many of the refusals that suspend a channel one rule may have,
	// so that it takes four rules at least.
	perRule = 5
	// overdue is for how long the probe of a suspended rule lets the other rules'
	// deliveries go first.
	overdue = 10 * time.Minute
)

// refusals are the messages of one rule that the provider has refused in a row.
// From defectAfter on the rule is suspended: its deliveries step aside, into
// lanes of their own, and one of them is tried from time to time.
type refusals struct {
	rule    string
	inRow   int // with no success of the rule between
	recent  int // with no success of the channel between
	last    *outcome.Error
	since   time.Time // when it was suspended; zero: it is not
	probes  probes
	waiting int // lanes that wait for a probe
}

func (r *refusals) suspended() bool { return r != nil && !r.since.IsZero() }

// problem says that a rule is suspended, for people.
func (r *refusals) problem() string {
	return fmt.Sprintf("rule %s is suspended: %d of its messages in a row were refused, the last with %s; its others wait, and one is tried from time to time, at least every %s",
		r.rule, r.inRow, r.last, lastProbe)
}

// refuse counts a message that the provider will never take. It is a dead
// letter; what is suspended has not been tried.
func (o *Outbox) refuse(rule string, e *outcome.Error) {
	r := o.refused[rule]
	if r == nil {
		r = &refusals{rule: rule}
		o.refused[rule] = r
	}
	r.inRow++
	r.recent++
	r.last = e
	if r.inRow >= defectAfter && !r.suspended() {
		o.suspend(r)
	}
	if r.suspended() {
		o.conditions.Set(health.Condition{
			Type: health.Rule, Subject: o.subject(r), Attrs: []any{"channel", o.name, "rule", rule, "refused", r.inRow},
			Message: "channel " + o.name + ": " + r.problem() + "; correct the rule or what the provider takes",
		})
	}
	if n, rules := o.refusedByAll(); n >= defectAfter {
		o.latch(outcome.Errorf(outcome.Misconfigured, "messages of %d rules were refused and none was taken between (%s), the last with %s",
			len(rules), strings.Join(rules[:min(len(rules), 5)], ", "), e))
	}
}

func (o *Outbox) subject(r *refusals) string { return o.name + "/" + r.rule }

// refusedByAll returns how many messages were refused since the channel's last
// success, at most perRule of each rule, and these rules.
func (o *Outbox) refusedByAll() (n int, rules []string) {
	for _, rule := range slices.Sorted(maps.Keys(o.refused)) {
		if r := o.refused[rule]; r.recent > 0 {
			n += min(r.recent, perRule)
			rules = append(rules, rule)
		}
	}
	return n, rules
}

// taken notes a success of a rule.
func (o *Outbox) taken(rule string) {
	for _, r := range o.refused {
		r.recent = 0
	}
	if r := o.refused[rule]; r != nil {
		delete(o.refused, rule)
		if r.suspended() {
			o.conditions.Clear(health.Rule, o.subject(r))
			o.resume(r)
		}
	}
}

// suspend has what waits of a rule step aside.
func (o *Outbox) suspend(r *refusals) {
	r.since = time.Now()
	r.probes.begin(r.since)
	for _, l := range o.lanesBy(func(l *lane) bool { return l.state == ready && l.queue[0].rule() == r.rule }) {
		o.unlist(l)
		o.enqueue(l)
	}
}

// resume has the lanes that wait for a probe of a rule go on as any other.
func (o *Outbox) resume(r *refusals) {
	for _, l := range o.lanesBy(func(l *lane) bool { return l.state == aside && l.key.rule == r.rule }) {
		l.source.push(l)
	}
}

// lanesBy returns those lanes in the order in which they were made.
func (o *Outbox) lanesBy(wanted func(*lane) bool) []*lane {
	var list []*lane
	for _, l := range o.lanes {
		if wanted(l) {
			list = append(list, l)
		}
	}
	slices.SortFunc(list, func(a, b *lane) int { return cmp.Compare(a.number, b.number) })
	return list
}

// enqueue has a lane wait for its turn at the channel. Deliveries of suspended
// rules step aside before, and those of the same rule and key that come behind
// them: the order within a rule and a key stays, and the other rules' deliveries
// do not wait.
func (o *Outbox) enqueue(l *lane) {
	for !l.key.aside && o.stepsAside(l) {
		d := l.queue[0]
		l.queue[0] = nil
		l.queue = l.queue[1:]
		o.putAside(l, d)
		l.backoff, l.tried = nil, time.Time{}
		if len(l.queue) == 0 {
			o.drop(l)
			return
		}
	}
	if r := o.refused[l.key.rule]; l.key.aside && r.suspended() {
		l.state = aside
		r.waiting++
		return
	}
	l.source.push(l)
}

func (o *Outbox) stepsAside(l *lane) bool {
	if len(o.refused) == 0 && o.asides == 0 {
		return false
	}
	rule := l.queue[0].rule()
	return o.refused[rule].suspended() || o.asides > 0 && o.lanes[l.key.besides(rule)] != nil
}

func (k laneKey) besides(rule string) laneKey {
	k.aside, k.rule = true, rule
	return k
}

func (o *Outbox) putAside(from *lane, d *delivery) {
	key := from.key.besides(d.rule())
	if l := o.lanes[key]; l != nil {
		l.queue = append(l.queue, d)
		return
	}
	l := o.newLane(key)
	o.asides++
	l.queue, l.tried = append(l.queue, d), from.tried
	o.enqueue(l)
}

// pickSuspended returns the lane with which a suspended rule is to be tried by
// now: of the rule that has waited longest, the lane tried longest ago.
func (o *Outbox) pickSuspended(now time.Time) *lane {
	if o.asides == 0 {
		return nil
	}
	var due []*refusals
	for _, r := range o.refused {
		if r.suspended() && r.waiting > 0 && !r.probes.next.After(now) {
			due = append(due, r)
		}
	}
	slices.SortFunc(due, func(a, b *refusals) int {
		return cmp.Or(a.probes.next.Compare(b.probes.next), cmp.Compare(a.rule, b.rule))
	})
	for _, r := range due {
		var best *lane
		for _, l := range o.lanes {
			if l.state == aside && l.key.rule == r.rule && (best == nil || byTried(l, best) < 0) && o.mayGo(l) {
				best = l
			}
		}
		if best != nil {
			return best
		}
	}
	return nil
}

// suspendedUntil returns when the next suspended rule is to be tried; zero: none
// is, or what it waits for is an event.
func (o *Outbox) suspendedUntil(now time.Time) (next time.Time) {
	for _, r := range o.refused {
		if r.suspended() && r.waiting > 0 && r.probes.next.After(now) && (next.IsZero() || r.probes.next.Before(next)) {
			next = r.probes.next
		}
	}
	return next
}

// relieve makes a dead letter of the oldest delivery of a suspended rule where
// so many wait that the others' would soon not be read or not be begun. It does
// not do so while the channel itself waits.
func (o *Outbox) relieve(now time.Time) {
	if o.asides == 0 || o.lastState != gobreaker.StateClosed || o.gate.closedUntil(now).After(now) || o.gate.latched() {
		return
	}
	for _, s := range o.sources {
		if s.partition == nil || s.ending > 0 {
			continue
		}
		var oldest *lane
		records, bytes := 0, 0
		for _, l := range o.lanes {
			if l.source != s || l.state != aside {
				continue
			}
			for _, d := range l.queue {
				records++
				bytes += d.entry.Size()
			}
			if o.moveTo(s, l.queue[0]) == "" && (oldest == nil || l.queue[0].at.Offset < oldest.queue[0].at.Offset) {
				oldest = l
			}
		}
		if oldest != nil && s.partition.Crowds(records, bytes) {
			o.giveUp(oldest, now)
		}
	}
}

// giveUp makes a dead letter of the next delivery of a lane that has stepped
// aside, tried or not.
func (o *Outbox) giveUp(l *lane, now time.Time) {
	d, e := l.queue[0], o.refused[l.key.rule].last
	if d.firstTried.IsZero() {
		d.firstTried = now
	}
	o.unlist(l)
	o.bury(l, d, outcome.Errorf(e.Cause, "not sent: its rule is suspended, and too many of its alerts wait; the last one was refused with %s", e.Detail),
		e.Cause.Class().Reason)
}

// suspendedRules says which rules are suspended and why; empty: none is.
func (o *Outbox) suspendedRules() string {
	var all []string
	for _, rule := range slices.Sorted(maps.Keys(o.refused)) {
		if r := o.refused[rule]; r.suspended() {
			all = append(all, r.problem())
		}
	}
	return strings.Join(all, "; ")
}

// forgetRefusals drops what is known of refusals, with the last partition: its
// next owner counts for itself.
func (o *Outbox) forgetRefusals() {
	for _, r := range o.refused {
		o.conditions.Forget(o.subject(r))
	}
	clear(o.refused)
}
