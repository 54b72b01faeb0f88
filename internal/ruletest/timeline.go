package ruletest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/event"
)

// times returns how often the event happens.
func (r *Repeat) times() int { return max(r.Times, 1) }

// after returns how long after the first event the one with this number happens. The
// product of a long time with the number would overflow.
func (r *Repeat) after(n int) time.Duration {
	number, times := time.Duration(n), time.Duration(r.times())
	return r.Over/times*number + r.Over%times*number/times
}

// vary returns an event with the values that its members have in the n-th repetition.
func (r *Repeat) vary(doc event.Value, n int) event.Value {
	for name, values := range r.Vary {
		value := values[n%len(values)].Value
		doc = merge(doc, event.ObjectValue([]event.Value{event.Member(name, value)}))
	}
	return doc
}

// steps returns the test's events, each with what it has from the test.
func (t *Test) steps() []Step {
	if len(t.Events) == 0 {
		return []Step{{Topic: t.Topic, Sample: t.Sample, Event: t.Event, At: t.At, Repeat: t.Repeat, Expect: t.Expect, at: t.at, own: true}}
	}
	steps := slices.Clone(t.Events)
	for i := range steps {
		s := &steps[i]
		if s.Topic.Name == "" {
			s.Topic = t.Topic
		}
		if s.Sample == "" {
			s.Sample = t.Sample
		}
		s.Event.Value = merge(t.Event.Value, s.Event.Value)
		if s.Expect == nil {
			s.Expect = t.Expect
		}
	}
	return steps
}

// followsClock reports whether the times of the test's events are those of the clock. A
// single event keeps its own, so that it can be evaluated later.
func (t *Test) followsClock() bool { return len(t.Events) > 0 || t.Repeat.Times > 0 }

// happening is an event of a test at a moment.
type happening struct {
	step       int // from 0
	repetition int // from 0
	now        time.Time
	event.Event
}

// timeline returns the events of a test in the order in which they happen, and when the
// clock starts.
func (e *Env) timeline(t *Test, steps []Step) (list []happening, start time.Time, err error) {
	start = t.At.Time
	for i, s := range steps {
		doc, err := e.document(&s)
		if err != nil {
			return nil, start, err
		}
		if start.IsZero() {
			if start, err = e.start(&s, doc); err != nil {
				return nil, start, err
			}
		}
		first := start.Add(s.After)
		if !s.At.IsZero() {
			first = s.At.Time
		}
		if first.Before(start) {
			return nil, start, fmt.Errorf("event %d is before the clock starts, at %s", i+1, start.UTC().Format(time.RFC3339))
		}
		for n := range s.Repeat.times() {
			h := happening{step: i, repetition: n, now: first.Add(s.Repeat.after(n))}
			value, recorded := s.Repeat.vary(doc, n), t.At.Time
			if t.followsClock() {
				value, recorded = e.stamp(&s, value, h.now), h.now
			}
			if h.Event, err = e.decode(&s, value, recorded); err != nil {
				return nil, start, err
			}
			list = append(list, h)
		}
	}
	slices.SortStableFunc(list, func(a, b happening) int { return a.now.Compare(b.now) })
	for i := range list {
		list[i].Record.Offset = int64(i)
	}
	return list, start, nil
}

// noTime is when the clock starts if neither a test nor its first event has a time.
var noTime = time.Date(2026, time.January, 5, 12, 0, 0, 0, time.UTC)

// start returns when the clock of a test starts that does not say it: when its first event
// happens.
func (e *Env) start(s *Step, doc event.Value) (time.Time, error) {
	if !s.At.IsZero() {
		return s.At.Time, nil
	}
	for _, path := range e.Events.Topics[string(s.Topic.Name)].Time {
		if at(doc, strings.Split(path, ".")).Kind() > event.Null {
			ev, err := e.decode(s, doc, time.Time{})
			return ev.Time, err
		}
	}
	return noTime, nil
}

// document returns an event as the test has it.
func (e *Env) document(s *Step) (event.Value, error) {
	if s.Sample == "" {
		return s.Event.Value, nil
	}
	sample, err := configs.FindSample(e.Samples, s.Topic.Name, s.Sample)
	if err != nil {
		return event.Value{}, err
	}
	base, err := e.decoder.Decode(event.Record{Topic: string(s.Topic.Name), Value: sample.Data})
	if err != nil {
		return event.Value{}, fmt.Errorf("sample %s: %w", s.Sample, err)
	}
	return merge(base.Doc, s.Event.Value), nil
}

// decode decodes an event as one that was read.
func (e *Env) decode(s *Step, doc event.Value, recorded time.Time) (event.Event, error) {
	return e.decoder.Decode(event.Record{Topic: string(s.Topic.Name), Value: appendJSON(nil, doc), Time: recorded, Arrived: recorded})
}

// stamp returns an event with its time replaced, except where the test itself gives one.
func (e *Env) stamp(s *Step, doc event.Value, now time.Time) event.Value {
	text := event.StringValue(now.UTC().Format(time.RFC3339Nano))
	for _, path := range e.Events.Topics[string(s.Topic.Name)].Time {
		names := strings.Split(path, ".")
		if at(doc, names).Kind() == event.Missing || at(s.Event.Value, names).Kind() != event.Missing {
			continue
		}
		value := text
		for _, name := range slices.Backward(names) {
			value = event.ObjectValue([]event.Value{event.Member(name, value)})
		}
		doc = merge(doc, value)
	}
	return doc
}

// at returns the value at a path.
func at(v event.Value, names []string) event.Value {
	for _, name := range names {
		v = v.Get(name)
	}
	return v
}
