package ruletest

import (
	"fmt"
	"slices"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/backtest"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/rule"
)

// Params is what tests run against.
type Params struct {
	Rules   *rule.Set
	Events  *event.Config          // nil: the defaults
	Checks  map[string]event.Check // of events, by topic
	Samples []configs.Sample
	// Channels are those that messages can be expected of, by name.
	Channels map[string]backtest.Channel
}

// Env runs tests.
type Env struct {
	Params
	decoder  *event.Decoder // keeps all members
	coverage *rule.Coverage
}

// New returns an Env.
func New(p Params) *Env {
	if p.Events == nil {
		defaults := event.Defaults()
		p.Events = &defaults
	}
	return &Env{Params: p, decoder: event.NewDecoder(p.Events, nil, nil).Checking(p.Checks), coverage: rule.NewCoverage(p.Rules)}
}

// Branches returns the branches of the rules, with how many events of the tests took each.
func (e *Env) Branches() []rule.Branch { return e.coverage.Branches() }

// Result is what came of a test.
type Result struct {
	Test
	Raised   []string // the rules of its alerts
	Expected []string // those of them that the test expects
	Failures []string // what differs; none: it passed
	Repaired string   // the first tolerated mistake of an event; empty: none

	outcomes []outcome // of the events
	sent     *sent     // nil: no messages are expected
	broken   bool      // an event cannot be read or evaluated
}

// outcome is what came of an event of a test.
type outcome struct {
	step   *Step
	alerts [][]alert.Alert // by repetition
	failed failure
	// unknown is a rule that is expected, and that does not exist; empty: there is none.
	unknown string
}

// Run runs a test.
func (e *Env) Run(t Test) Result {
	r := Result{Test: t}
	steps := t.steps()
	for i := range steps {
		r.outcomes = append(r.outcomes, outcome{step: &steps[i], alerts: make([][]alert.Alert, steps[i].Repeat.times()), unknown: e.unknown(steps[i].Expect)})
	}
	events, start, err := e.timeline(&t, steps)
	if err != nil {
		r.Failures, r.broken = []string{err.Error()}, true
		return r
	}
	for i := range events {
		h := &events[i]
		o := &r.outcomes[h.step]
		if r.Repaired == "" {
			r.Repaired = h.Repaired
		}
		e.coverage.Note(&h.Event, h.now)
		alerts, err := e.Rules.Match(&h.Event, h.now)
		if err != nil {
			o.failed.add(h, []string{err.Error()})
			r.broken = true
			continue
		}
		o.alerts[h.repetition] = alerts
		r.note(o.step, alerts)
		if o.step.Expect != nil {
			o.failed.add(h, e.compare(o.step.Expect, h, alerts))
		}
	}
	for i := range r.outcomes {
		r.Failures = append(r.Failures, r.outcomes[i].failed.texts(i, steps)...)
	}
	if (t.Messages != nil || t.Suppressed != nil) && !r.broken {
		r.sent = e.send(&t, start, events, r.outcomes)
		r.Failures = append(r.Failures, r.sent.compareMessages(t.Messages)...)
		r.Failures = append(r.Failures, r.sent.compareSuppressed(t.Suppressed)...)
	}
	return r
}

// unknown returns the first rule that is expected and does not exist; empty: there is none.
func (e *Env) unknown(expected []Expected) string {
	for _, x := range expected {
		if !slices.ContainsFunc(e.Rules.Rules(), func(r rule.Rule) bool { return r.Name == x.Rule }) {
			return x.Rule
		}
	}
	return ""
}

// note notes which rules raised an alert, and which of these are expected to.
func (r *Result) note(s *Step, alerts []alert.Alert) {
	for _, a := range alerts {
		if a.State != alert.Firing {
			continue
		}
		name := a.Rule
		r.Raised = appendNew(r.Raised, name)
		if r.Messages != nil || slices.ContainsFunc(s.Expect, func(x Expected) bool { return x.Rule == name }) {
			r.Expected = appendNew(r.Expected, name)
		}
	}
}

func appendNew(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// failure is what differs in the repetitions of an event.
type failure struct {
	first      []string // of the first one that failed
	repetition int      // which one that is
	count      int      // of those that failed
}

func (f *failure) add(h *happening, differences []string) {
	if len(differences) == 0 {
		return
	}
	if f.count == 0 {
		f.first, f.repetition = differences, h.repetition
	}
	f.count++
}

// texts returns the differences with the event that they are of, if there are several.
func (f *failure) texts(step int, steps []Step) []string {
	times := steps[step].Repeat.times()
	var prefix string
	if len(steps) > 1 {
		prefix = fmt.Sprintf("event %d: ", step+1)
	}
	if times > 1 {
		prefix += fmt.Sprintf("repetition %d of %d: ", f.repetition+1, times)
	}
	texts := make([]string, len(f.first))
	for i, text := range f.first {
		texts[i] = prefix + text
	}
	if f.count > 1 {
		texts = append(texts, prefix+"differs in "+plural.Count(f.count-1, "further repetition"))
	}
	return texts
}

// compare returns how the alerts of an event differ from the expected ones. A resolved one
// need not be expected, since it is told only where its rule fires.
func (e *Env) compare(expected []Expected, h *happening, alerts []alert.Alert) (differences []string) {
	alerts = slices.Clone(alerts)
	for _, x := range expected {
		i := slices.IndexFunc(alerts, func(a alert.Alert) bool { return a.Rule == x.Rule && a.State == x.state() })
		if i >= 0 {
			differences = append(differences, x.differences(&alerts[i])...)
			alerts = slices.Delete(alerts, i, i+1)
			continue
		}
		if x.State == string(alert.Resolved) {
			differences = append(differences, fmt.Sprintf("%s is not resolved: clear is not true, or when is", x.Rule))
			continue
		}
		why := e.Rules.Why(x.Rule, &h.Event, h.now)
		if why == "" {
			why = "it is expected more than once"
		}
		differences = append(differences, fmt.Sprintf("%s is not raised: %s", x.Rule, why))
	}
	for i := range alerts {
		if alerts[i].State == alert.Resolved {
			continue
		}
		differences = append(differences, alerts[i].Rule+" is raised, but not expected: "+written(&alerts[i]))
	}
	return differences
}

// Untested returns the rules for which no test expects an alert that it raises.
func Untested(rules *rule.Set, results []Result) []string {
	var names []string
	for _, r := range rules.Rules() {
		if !slices.ContainsFunc(results, func(x Result) bool { return slices.Contains(x.Expected, r.Name) }) {
			names = append(names, r.Name)
		}
	}
	return names
}
