package ruletest

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Edits returns the edits of the test's file with which the test passes: what it expects is
// what it got. A test of which an event cannot be read has none.
func (r *Result) Edits() ([]yamldoc.Edit, error) {
	if r.broken {
		return nil, errors.New(r.Failures[0])
	}
	var edits []yamldoc.Edit
	for i := range r.outcomes {
		o := &r.outcomes[i]
		if o.failed.count == 0 {
			continue
		}
		more, err := o.edits()
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", i+1, err)
		}
		edits = append(edits, more...)
	}
	if r.sent != nil {
		more, err := r.sent.edits(&r.Test)
		if err != nil {
			return nil, err
		}
		edits = append(edits, more...)
	}
	return edits, nil
}

// edits returns the edits of an event: of single values if the alerts are the expected ones,
// else of the whole list.
func (o *outcome) edits() ([]yamldoc.Edit, error) {
	if o.unknown != "" {
		return nil, fmt.Errorf("there is no rule %s: correct its name", o.unknown)
	}
	raised, matches := o.relevant(0)
	for n := range o.alerts {
		others, _ := o.relevant(n)
		if !slices.EqualFunc(raised, others, func(a, b alert.Alert) bool { return a.Rule == b.Rule && a.State == b.State }) {
			return nil, fmt.Errorf("repetition %d raises other alerts than the first: make it an event of its own", n+1)
		}
	}
	var single []yamldoc.Edit
	list := []string{}
	complete := len(raised) == len(o.step.Expect) && o.step.own
	for i := range raised {
		x := matches[i]
		complete = complete && x != nil && x.at.IsMapping()
		values := o.values(i, x)
		list = append(list, flowMapping(values))
		for _, v := range values {
			if x != nil && v.name != "rule" && len(x.differencesOf(v.name, &raised[i])) > 0 {
				single = append(single, yamldoc.Edit{In: x.at, Key: v.name, Value: v.flow})
			}
		}
	}
	if complete && len(single) > 0 {
		return single, nil
	}
	return []yamldoc.Edit{{In: o.step.at, Key: "expect", List: list}}, nil
}

// relevant returns the alerts of a repetition, with those that are expected of them: what
// fires, and what is resolved if that is expected.
func (o *outcome) relevant(repetition int) (alerts []alert.Alert, matches []*Expected) {
	used := make(map[*Expected]bool)
	for _, a := range o.alerts[repetition] {
		var match *Expected
		for i := range o.step.Expect {
			if x := &o.step.Expect[i]; match == nil && !used[x] && x.Rule == a.Rule && x.state() == a.State {
				match = x
			}
		}
		if match == nil && a.State == alert.Resolved {
			continue
		}
		used[match] = match != nil
		alerts, matches = append(alerts, a), append(matches, match)
	}
	return alerts, matches
}

// value is a key of an expectation with what it is.
type value struct{ name, flow string }

// values returns an alert as it is expected: with the keys of the expectation that it
// matches, or the usual ones, without those whose value differs between repetitions.
func (o *outcome) values(i int, x *Expected) []value {
	wanted := []string{"rule", "severity", "key", "title"}
	if x != nil {
		wanted = x.given()
	}
	raised, _ := o.relevant(0)
	if x == nil && len(raised[i].Key) == 0 {
		wanted = slices.DeleteFunc(wanted, func(name string) bool { return name == "key" })
	}
	var values []value
	for _, name := range wanted {
		v := valueOf(name, &raised[i], x)
		same := true
		for n := range o.alerts {
			other, _ := o.relevant(n)
			same = same && valueOf(name, &other[i], x) == v
		}
		if same {
			values = append(values, value{name, v})
		}
	}
	return values
}

// given returns the keys of an expectation.
func (x *Expected) given() (names []string) {
	for _, name := range []string{"rule", "severity", "state", "key", "to", "channels", "title", "text", "fields"} {
		if x.at.Has(name) {
			names = append(names, name)
		}
	}
	return names
}

// valueOf returns one key of an alert as it is written in a test.
func valueOf(name string, a *alert.Alert, x *Expected) string {
	switch name {
	case "rule":
		return flow(a.Rule)
	case "severity":
		return flow(string(a.Severity))
	case "state":
		if a.State == alert.Firing {
			return firing
		}
		return flow(string(a.State))
	case "key":
		if x != nil && x.Key.parts == nil {
			return flow(a.KeyText())
		}
		return flowList(a.Key)
	case "to":
		return flowList(slices.Sorted(slices.Values(a.Channels)))
	case "channels":
		return flowList(told(a))
	case "title":
		return flow(a.Title.String())
	case "text":
		return flow(a.Text.String())
	}
	var values []value
	fields := fieldsOf(a)
	for _, label := range slices.Sorted(maps.Keys(x.Fields)) {
		if text, ok := fields[label]; ok {
			values = append(values, value{flow(label), flow(text)})
		}
	}
	return flowMapping(values)
}
