// Package rule compiles rules.yaml into a Set and evaluates it on events. A rule
// is data: a condition, a severity, a key and texts in the language of package expr. All
// mistakes but an event that takes too many steps are found at load. Start reading at
// Compile and Set.Match.
package rule

import (
	"slices"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/calendar"
	"github.com/algotrade/notifier/internal/digest"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/topics"
)

// Set is a compiled rules file. It is safe for concurrent use.
type Set struct {
	rules   []*rule
	byName  map[string]*rule
	byTopic map[string][]*topicRule
	reads   map[string][]string
	steps   int // limit of all rules for one event

	vars   event.Value
	zone   *time.Location
	digest digest.Config

	calendars map[string]calendar.Calendar
}

// topicRule is a rule on one topic, with the where that applies there.
type topicRule struct {
	*rule
	where *expr.Expression // nil: none
}

type rule struct {
	name       string
	topics     []topics.Name
	when       expr.Expression
	severity   func(*expr.Scope) alert.Severity
	choice     expr.Expression  // severity, if it is a conditional; else it has no node
	severities []alert.Severity // that severity can return, the worst last
	key        []expr.Expression
	keyNames   []string          // of the key's parts: see keyName
	group      []expr.Expression // nil: the key
	title      expr.Text
	text       expr.Text
	fields     []field
	throttle   time.Duration
	expire     time.Duration
	runbook    string
	channels   map[alert.Severity][]string      // outside quiet hours
	quietly    map[alert.Severity][]destination // of severities that have quiet hours
	where      *expr.Expression                 // the rule's own; nil: its topic's default
	clear      *clearing                        // nil: its alerts do not end
}

type field struct {
	label string
	value expr.Text
}

// Match returns the alerts of an event in the order of the rules, bounded by
// alert.Bound and without ids. They share no memory with the event. age and ago
// count from now. If the rules take more than MaxSteps, Match returns no alerts
// and an *outcome.Error that names the most expensive rule. An event with clear raises a
// resolved alert, whatever was raised before.
func (s *Set) Match(ev *event.Event, now time.Time) ([]alert.Alert, error) {
	return s.MatchKnown(ev, now, nil)
}

// MatchKnown is Match without the resolved alerts of keys that are known to be resolved.
// It notes what it returns. known may be nil: nothing is known.
func (s *Set) MatchKnown(ev *event.Event, now time.Time, known *Resolved) (alerts []alert.Alert, err error) {
	rules := s.byTopic[ev.Record.Topic]
	if len(rules) == 0 {
		return nil, nil
	}
	sc := expr.Scope{Event: ev, Now: now, Meter: calc.Meter{Limit: s.steps}}
	var usage usage
	var notes []noted
	before, current := 0, 0 // steps before the current rule, and its index
	defer func() {
		if sc.Spent <= sc.Limit {
			return // a panic is not OverBudget
		}
		if v := recover(); v != any(calc.OverBudget{}) {
			panic(v)
		}
		usage.add(rules[current].name, sc.Spent-before)
		alerts, err = nil, usage.error(sc.Limit)
	}()
	for i, r := range rules {
		before, current = sc.Spent, i
		if state, key, raises := r.state(&sc, known); raises {
			alerts = append(alerts, r.alert(&sc, state, key))
			if r.clear != nil && known != nil {
				notes = append(notes, noted{known.hash(r.clear.id, key), state})
			}
		}
		usage.add(r.name, sc.Spent-before)
	}
	for _, n := range notes {
		known.note(n.key, n.state)
	}
	return alerts, nil
}

// noted is what Resolved is to remember of an alert.
type noted struct {
	key   uint64
	state alert.State
}

// state returns whether the event raises an alert, which one, and its key. An event for
// which when and clear are true fires.
func (r *topicRule) state(sc *expr.Scope, known *Resolved) (alert.State, []string, bool) {
	passes := func(e *expr.Expression) bool { return e.Test(sc) && (r.where == nil || r.where.Test(sc)) }
	switch {
	case passes(&r.when):
		return alert.Firing, parts(sc, r.key), true
	case r.clear == nil || !passes(&r.clear.when):
		return "", nil, false
	}
	key := parts(sc, r.key)
	return alert.Resolved, key, known == nil || !known.has(known.hash(r.clear.id, key))
}

// alert returns an alert of the event. A resolved one never expires, and is as severe as
// the least of the rule's.
func (r *rule) alert(sc *expr.Scope, state alert.State, key []string) alert.Alert {
	ev := sc.Event
	a := alert.Alert{
		Rule: r.name, State: state, Severity: r.severities[0], WorstSeverity: r.severities[len(r.severities)-1], Key: slices.Clone(key), KeyNames: r.keyNames,
		Title: r.title.Of(sc), Text: r.text.Of(sc),
		EventTime: ev.Time, EventType: ev.Type, EventID: ev.ID, Topic: ev.Record.Topic,
		Runbook: r.runbook, Throttle: r.throttle, Expire: r.expire,
	}
	if r.group != nil {
		if a.Group = parts(sc, r.group); slices.Equal(a.Group, a.Key) {
			a.Group = nil
		}
	}
	for _, f := range r.fields {
		a.Fields = append(a.Fields, alert.Field{Label: f.label, Value: f.value.Of(sc)})
	}
	if state == alert.Firing {
		a.Severity = r.severity(sc)
		r.route(&a)
	} else {
		a.Expire, a.Channels = 0, r.clear.channels
	}
	if r.clear != nil {
		a.Clears, a.Remind = true, r.clear.remind
	}
	a.Bound()
	a.EventType, a.EventID = strings.Clone(a.EventType), strings.Clone(a.EventID) // the other texts are copies
	return a
}

// Digest returns the digest of the file, which holds for channels without their own.
func (s *Set) Digest() digest.Config { return s.digest }

// Zone returns the zone of the file's times.
func (s *Set) Zone() *time.Location { return s.zone }

// Reads returns the top-level members that the rules read, by topic. A topic
// without rules, or whose rules read the whole document, is absent.
func (s *Set) Reads() map[string][]string { return s.reads }

// Rule describes a rule.
type Rule struct {
	Name       string
	Topics     []topics.Name
	Severities []alert.Severity
	Channels   []string
	Throttle   time.Duration
	Expire     time.Duration
	When       string
	Clear      string        // empty: its alerts do not end
	Remind     time.Duration // 0: open ones are not told again
}

// Rules lists the rules, in the order of the file.
func (s *Set) Rules() []Rule {
	list := make([]Rule, len(s.rules))
	for i, r := range s.rules {
		list[i] = Rule{Name: r.name, Topics: r.topics, Severities: r.severities, Throttle: r.throttle, Expire: r.expire, When: r.when.Source}
		if r.clear != nil {
			list[i].Clear, list[i].Remind = r.clear.when.Source, r.clear.remind
		}
		list[i].Channels = r.everyChannel()
	}
	return list
}
