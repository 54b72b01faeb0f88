// Package rule turns rules.yaml into a Set, which says what alerts an event
// raises. A rule is data: a condition, a severity, a key and texts, all in one
// expression language (expr.go) whose every expression is total: evaluating it
// cannot fail on any event, but for taking too many steps. So all mistakes are
// found at load, and Match is a pure function. Start reading at Compile and Set.Match.
package rule

import (
	"slices"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/topics"
)

// Set is a compiled file of rules. It is safe for concurrent use.
type Set struct {
	rules   []*rule
	byTopic map[string][]*guarded
	reads   map[string][]string
	steps   int // that all rules may take on one event
}

// guarded is a rule on one topic, with the where that holds there.
type guarded struct {
	*rule
	where truth // nil: none
}

type rule struct {
	name     string
	topics   []topics.Name
	when     expression
	severity func(*scope) alert.Severity
	yields   []alert.Severity // what severity can be
	key      []expression
	title    template
	text     template
	fields   []field
	throttle time.Duration
	expire   time.Duration
	runbook  string
	channels map[alert.Severity][]string
	where    *expression // the rule's own; nil: its topic's default
}

type field struct {
	label string
	value template
}

// Match returns the alerts that an event raises, in the order of the rules, each
// within the bounds of alert.Bound. Their ids are not set, and they share no memory
// with the event. now is what age and ago count from. Where the rules would take more than MaxSteps, it
// returns an *outcome.Error that names the one that took most, and no alerts.
func (s *Set) Match(ev *event.Event, now time.Time) (alerts []alert.Alert, err error) {
	rules := s.byTopic[ev.Record.Topic]
	if len(rules) == 0 {
		return nil, nil
	}
	on := scope{ev: ev, now: now, meter: meter{limit: s.steps}}
	var took costs
	begun, at := 0, 0 // the steps before the rule that is asked, and which one that is
	defer func() {
		if on.spent <= on.limit {
			return // a panic, if there is one, is none of ours
		}
		if v := recover(); v != any(overBudget{}) {
			panic(v)
		}
		took.add(rules[at].name, on.spent-begun)
		alerts, err = nil, took.error(on.limit)
	}()
	for i, r := range rules {
		begun, at = on.spent, i
		if r.when.test(&on) && (r.where == nil || r.where(&on)) {
			alerts = append(alerts, r.alert(&on))
		}
		took.add(r.name, on.spent-begun)
	}
	return alerts, nil
}

func (r *rule) alert(on *scope) alert.Alert {
	ev := on.ev
	a := alert.Alert{
		Rule: r.name, Severity: r.severity(on), Key: make([]string, len(r.key)),
		Title: r.title.text(on), Text: r.text.text(on),
		EventTime: ev.Time, EventType: ev.Type, EventID: ev.ID, Topic: ev.Record.Topic,
		Runbook: r.runbook, Throttle: r.throttle, Expire: r.expire,
	}
	for i, k := range r.key {
		if v := k.eval(on); !v.IsNil() {
			a.Key[i] = whole(&on.meter, v)
		}
	}
	for _, f := range r.fields {
		a.Fields = append(a.Fields, alert.Field{Label: f.label, Value: f.value.text(on)})
	}
	a.Channels = r.channels[a.Severity]
	a.Bound()
	a.EventType, a.EventID = strings.Clone(a.EventType), strings.Clone(a.EventID) // the rest is made here
	return a
}

// Reads returns, per topic, the top-level members of documents that the rules
// read. A topic whose rules need the whole document, or that has none, is
// absent.
func (s *Set) Reads() map[string][]string { return s.reads }

// Rule is what a rule is to people.
type Rule struct {
	Name       string
	Topics     []topics.Name
	Severities []alert.Severity
	Channels   []string
	Throttle   time.Duration
	When       string
}

// Rules lists the rules, in the order of the file.
func (s *Set) Rules() []Rule {
	list := make([]Rule, len(s.rules))
	for i, r := range s.rules {
		list[i] = Rule{Name: r.name, Topics: r.topics, Severities: r.yields, Throttle: r.throttle, When: r.when.source}
		for _, severity := range r.yields {
			for _, channel := range r.channels[severity] {
				if !slices.Contains(list[i].Channels, channel) {
					list[i].Channels = append(list[i].Channels, channel)
				}
			}
		}
	}
	return list
}
