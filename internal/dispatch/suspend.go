package dispatch

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

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

// message describes a suspended rule.
func (r *refusals) message() string {
	return fmt.Sprintf("rule %s is suspended: %d of its messages in a row were refused, the last with %s; its other alerts wait, and one is tried at least every %s",
		r.rule, r.inRow, r.last, lastProbe)
}

// suspensions are the rules of which the provider has refused messages.
type suspensions struct {
	channel    string
	conditions *health.Conditions
	byName     map[string]*refusals
}

// refuse counts a message that the provider will never take, and reports whether
// its rule is suspended from now on. The message itself is a dead letter; those
// of a suspended rule have not been tried.
func (s *suspensions) refuse(rule string, e *outcome.Error, now time.Time) (r *refusals, suspended bool) {
	r = s.byName[rule]
	if r == nil {
		r = &refusals{rule: rule}
		s.byName[rule] = r
	}
	r.inRow++
	r.recent++
	r.last = e
	if r.inRow >= defectAfter && !r.suspended() {
		r.since = now
		r.probes.begin(r.since)
		suspended = true
	}
	if r.suspended() {
		s.conditions.Set(health.Condition{
			Type: health.Rule, Subject: s.subject(r), Attrs: []any{"channel", s.channel, "rule", rule, "refused", r.inRow},
			Message: "channel " + s.channel + ": " + r.message() + "; correct the rule or what the provider takes",
		})
	}
	return r, suspended
}

func (s *suspensions) subject(r *refusals) string { return s.channel + "/" + r.rule }

// recent returns how many messages were refused since the channel's last
// success, at most perRule of each rule, and these rules.
func (s *suspensions) recent() (n int, rules []string) {
	for _, rule := range slices.Sorted(maps.Keys(s.byName)) {
		if r := s.byName[rule]; r.recent > 0 {
			n += min(r.recent, perRule)
			rules = append(rules, rule)
		}
	}
	return n, rules
}

// succeeded notes a success of a rule; it returns what ends a suspension, nil
// where there was none.
func (s *suspensions) succeeded(rule string) *refusals {
	for _, r := range s.byName {
		r.recent = 0
	}
	r := s.byName[rule]
	delete(s.byName, rule)
	if !r.suspended() {
		return nil
	}
	s.conditions.Clear(health.Rule, s.subject(r))
	return r
}

// due returns the suspended rules that are to be tried by now, the one that is
// due longest first.
func (s *suspensions) due(now time.Time) []*refusals {
	var due []*refusals
	for _, r := range s.byName {
		if r.suspended() && r.waiting > 0 && !r.probes.next.After(now) {
			due = append(due, r)
		}
	}
	slices.SortFunc(due, func(a, b *refusals) int {
		return cmp.Or(a.probes.next.Compare(b.probes.next), cmp.Compare(a.rule, b.rule))
	})
	return due
}

// next returns when the next suspended rule is to be tried; zero: none is, or
// an event will tell.
func (s *suspensions) next(now time.Time) (next time.Time) {
	for _, r := range s.byName {
		if r.suspended() && r.waiting > 0 && r.probes.next.After(now) && (next.IsZero() || r.probes.next.Before(next)) {
			next = r.probes.next
		}
	}
	return next
}

// String says which rules are suspended and why; empty: none is.
func (s *suspensions) String() string {
	var all []string
	for _, rule := range slices.Sorted(maps.Keys(s.byName)) {
		if r := s.byName[rule]; r.suspended() {
			all = append(all, r.message())
		}
	}
	return strings.Join(all, "; ")
}

// forget drops what is known of refusals, with the last partition: its next
// owner counts for itself.
func (s *suspensions) forget() {
	for _, r := range s.byName {
		s.conditions.Forget(s.subject(r))
	}
	clear(s.byName)
}
