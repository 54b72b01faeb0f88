package ruletest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/rule"
)

// Env is what tests run against.
type Env struct {
	Rules   *rule.Set
	Decoder *event.Decoder // keeps all members
	Samples []configs.Sample
}

// Result is the outcome of a test.
type Result struct {
	Test
	Raised   []string // the rules of its alerts
	Failures []string // what differs; none: it passed
	Repaired string   // the first tolerated mistake of the event; empty: none
}

// Run runs a test.
func (e *Env) Run(t Test) Result {
	r := Result{Test: t}
	ev, now, err := e.event(t)
	if err != nil {
		r.Failures = []string{err.Error()}
		return r
	}
	r.Repaired = ev.Repaired
	alerts, err := e.Rules.Match(&ev, now)
	if err != nil {
		r.Failures = []string{err.Error()}
		return r
	}
	for _, a := range alerts {
		if a.State == alert.Firing {
			r.Raised = append(r.Raised, a.Rule)
		}
	}
	for _, x := range t.Expect {
		i := slices.IndexFunc(alerts, func(a alert.Alert) bool { return a.Rule == x.Rule && a.State == x.state() })
		if i >= 0 {
			r.Failures = append(r.Failures, x.differences(&alerts[i])...)
			alerts = slices.Delete(alerts, i, i+1)
			continue
		}
		if x.State == string(alert.Resolved) {
			r.Failures = append(r.Failures, fmt.Sprintf("%s is not resolved: clear is not true, or when is", x.Rule))
			continue
		}
		why := e.Rules.Why(x.Rule, &ev, now)
		if why == "" {
			why = "it is expected more than once"
		}
		r.Failures = append(r.Failures, fmt.Sprintf("%s is not raised: %s", x.Rule, why))
	}
	for i := range alerts {
		if alerts[i].State == alert.Resolved { // it is told only where its rule fires
			continue
		}
		r.Failures = append(r.Failures, alerts[i].Rule+" is raised, but not expected: "+written(&alerts[i]))
	}
	return r
}

// event returns a test's event, decoded as one that was read, and when it is evaluated.
func (e *Env) event(t Test) (ev event.Event, now time.Time, err error) {
	doc := t.Event.Value
	if t.Sample != "" {
		s, err := configs.FindSample(e.Samples, t.Topic.Name, t.Sample)
		if err != nil {
			return ev, now, err
		}
		base, err := e.Decoder.Decode(event.Record{Topic: string(t.Topic.Name), Value: s.Data})
		if err != nil {
			return ev, now, fmt.Errorf("sample %s: %w", t.Sample, err)
		}
		doc = merge(base.Doc, doc)
	}
	ev, err = e.Decoder.Decode(event.Record{Topic: string(t.Topic.Name), Value: appendJSON(nil, doc), Time: t.At.Time, Arrived: t.At.Time})
	if now = t.At.Time; now.IsZero() {
		now = ev.Time
	}
	return ev, now, err
}

// differences returns how an alert differs from the expected one.
func (x *Expected) differences(a *alert.Alert) (differences []string) {
	differ := func(what, got, want string) {
		if got != want {
			differences = append(differences, fmt.Sprintf("%s: %s is %s, expected %s", x.Rule, what, got, want))
		}
	}
	if x.Severity != "" {
		differ("severity", string(a.Severity), x.Severity)
	}
	switch {
	case x.Key.parts != nil:
		differ("key", list(a.Key), list(x.Key.parts))
	case x.Key.given:
		differ("key", a.KeyText(), x.Key.text)
	}
	if x.To != nil {
		differ("to", list(slices.Sorted(slices.Values(a.Channels))), list(slices.Sorted(slices.Values(x.To))))
	}
	if x.Channels != nil {
		got, want := list(told(a)), list(slices.Sorted(slices.Values(x.Channels)))
		if got != want {
			got += quiet(a)
		}
		differ("channels", got, want)
	}
	if x.Title != nil {
		differ("title", strconv.Quote(a.Title.String()), strconv.Quote(*x.Title))
	}
	if x.Text != nil {
		differ("text", strconv.Quote(a.Text.String()), strconv.Quote(*x.Text))
	}
	fields := make(map[string]string)
	for _, f := range a.Fields {
		fields[f.Label] = f.Value.String()
	}
	for _, label := range slices.Sorted(maps.Keys(x.Fields)) {
		got := "missing"
		if text, ok := fields[label]; ok {
			got = strconv.Quote(text)
		}
		differ("field "+label, got, strconv.Quote(x.Fields[label]))
	}
	return differences
}

func list(parts []string) string { return "[" + strings.Join(parts, ", ") + "]" }

// quiet names the quiet hours that drop an alert: " in the quiet hours overnight"; empty: none.
func quiet(a *alert.Alert) string {
	for _, c := range slices.Sorted(slices.Values(a.Channels)) {
		if name := a.In(c).Quiet; name != "" {
			return " in the quiet hours " + name
		}
	}
	return ""
}

// told returns the channels in which an alert is sent: it is dropped in those that are quiet.
func told(a *alert.Alert) []string {
	var channels []string
	for _, c := range slices.Sorted(slices.Values(a.Channels)) {
		if a.In(c).Quiet == "" {
			channels = append(channels, c)
		}
	}
	return channels
}

// written returns an alert as a test expects it.
func written(a *alert.Alert) string {
	quotedParts := make([]string, len(a.Key))
	for i, part := range a.Key {
		quotedParts[i] = strconv.Quote(part)
	}
	to := "to: " + list(a.Channels)
	if len(a.QuietIn) > 0 {
		to += ", channels: " + list(told(a))
	}
	return fmt.Sprintf("{rule: %s, severity: %s, key: %s, %s, title: %s}",
		a.Rule, a.Severity, list(quotedParts), to, strconv.Quote(a.Title.String()))
}

// Untested returns the rules for which no test expects an alert that it raises.
func Untested(rules *rule.Set, results []Result) []string {
	var names []string
	for _, r := range rules.Rules() {
		tests := func(x Result) bool {
			return slices.Contains(x.Raised, r.Name) && slices.ContainsFunc(x.Expect, func(e Expected) bool { return e.Rule == r.Name })
		}
		if !slices.ContainsFunc(results, tests) {
			names = append(names, r.Name)
		}
	}
	return names
}
