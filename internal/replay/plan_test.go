package replay_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/topics"
)

// delivery is an entry of a delivery as it is read from its topic.
func delivery(id, channel string, version int64) *dlq.Entry {
	e := entry(id, []byte("{}"))
	e.Envelope.Alert = &alert.Alert{ID: "al_1", Rule: "order-rejected", Severity: alert.Warning, Title: alert.Text{{Text: "t"}}}
	e.Envelope.Channel, e.Envelope.Delivery = channel, id
	e.Reason, e.Cause, e.Detail = outcome.Refused, outcome.PayloadRefused, "HTTP 422"
	return read(e, version)
}

// read completes an entry with where it was read.
func read(e *dlq.Entry, version int64) *dlq.Entry {
	e.Topic, e.Offset, e.Key = topics.DeadLetter("g", topics.Name(e.Envelope.Source.Topic)), version, []byte(e.ID)
	return e
}

// planned adds entries, given oldest first, and returns the requests.
func planned(r replay.Options, entries ...*dlq.Entry) (*replay.Plan, []*replay.Request) {
	p := replay.NewPlan(r)
	for _, e := range slices.Backward(entries) {
		p.Add(e)
	}
	p.Close()
	return p, p.Requests()
}

func TestPlanOrdersLanesBySourceOffset(t *testing.T) {
	type lane struct {
		topic, channel string
		partition      int32
	}
	of := func(e *dlq.Entry) lane {
		s := e.Envelope.Source
		return lane{s.Topic, e.Envelope.Channel, s.Partition}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 60).Draw(t, "n")
		log := make([]*dlq.Entry, n)
		byID := make(map[string]*dlq.Entry)
		for i := range log {
			var e *dlq.Entry
			id := fmt.Sprintf("dl_%d", i)
			if channel := rapid.SampledFrom([]string{"", "desk", "hook"}).Draw(t, "channel"); channel != "" {
				e = delivery(id, channel, int64(i))
			} else {
				e = read(entry(id, nil), int64(i))
			}
			e.Envelope.Source.Topic = string(rapid.SampledFrom(topics.All()[:2]).Draw(t, "topic"))
			e.Envelope.Source.Partition = rapid.Int32Range(0, 2).Draw(t, "partition")
			e.Envelope.Source.Offset = rapid.Int64Range(0, 20).Draw(t, "offset")
			log[i], byID[id] = read(e, int64(i)), e
		}
		_, sent := planned(replay.Options{}, log...)
		if len(sent) != n {
			t.Fatalf("%d of %d are sent", len(sent), n)
		}
		last := make(map[lane]*dlq.Entry)
		for place, q := range sent {
			e := byID[q.Entry]
			delete(byID, q.Entry)
			if of(e) != of(log[place]) {
				t.Fatalf("place %d is %v's and was given to %v", place, of(log[place]), of(e))
			}
			if q.Version != e.Offset || q.Channel != e.Envelope.Channel || string(q.Source) != e.Envelope.Source.Topic {
				t.Fatalf("%+v for %+v", q, e)
			}
			before := last[of(e)]
			if before != nil && (before.Envelope.Source.Offset > e.Envelope.Source.Offset ||
				before.Envelope.Source.Offset == e.Envelope.Source.Offset && before.Offset > e.Offset) {
				t.Fatalf("%s goes before %s", before.ID, e.ID)
			}
			last[of(e)] = e
		}
	})
}

func TestPlanLeavesOutIneligibleEntries(t *testing.T) {
	mark := func(f func(*dlq.Entry)) func() *dlq.Entry {
		return func() *dlq.Entry {
			e := delivery("dl_1", "desk", 7)
			f(e)
			return e
		}
	}
	state := func(s dlq.State) func() *dlq.Entry { return mark(func(e *dlq.Entry) { e.State = s }) }
	tests := map[string]struct {
		entry func() *dlq.Entry
		why   replay.Left
		with  *replay.Options // brings it in; nil: nothing does
	}{
		"resolved":                {state(dlq.Resolved), replay.LeftClosed, nil},
		"discarded":               {state(dlq.Discarded), replay.LeftClosed, nil},
		"malformed":               {state(dlq.Malformed), replay.LeftMalformed, nil},
		"another delivery's id":   {mark(func(e *dlq.Entry) { e.Envelope.Delivery = "dl_2" }), replay.LeftMalformed, nil},
		"waiting":                 {state(dlq.Waiting), replay.LeftWaiting, nil},
		"quarantined":             {state(dlq.Quarantined), replay.LeftQuarantined, &replay.Options{Force: true}},
		"a batch":                 {mark(func(e *dlq.Entry) { e.Pointer, e.Cause = true, outcome.BatchTooLarge }), replay.LeftPointer, &replay.Options{Edited: []byte("{}")}},
		"without its value":       {mark(func(e *dlq.Entry) { e.Pointer = true }), "", &replay.Options{}},
		"perhaps delivered":       {mark(func(e *dlq.Entry) { e.Reason = outcome.Unconfirmed }), replay.LeftAmbiguous, &replay.Options{Ambiguous: true}},
		"open, nothing is needed": {mark(func(*dlq.Entry) {}), "", &replay.Options{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			everything := replay.Options{Force: true, Ambiguous: true, Rematch: true, To: "other", Edited: []byte("{}")}
			p, sent := planned(replay.Options{}, tt.entry())
			if tt.why != "" && (len(sent) != 0 || p.LeftOut[tt.why] != 1 || p.Left() != 1) {
				t.Errorf("%d sent, left out %v", len(sent), p.LeftOut)
			}
			if tt.with == nil {
				if p, _ = planned(everything, tt.entry()); p.Len() != 0 || p.LeftOut[tt.why] != 1 {
					t.Errorf("%d sent with everything allowed, left out %v", p.Len(), p.LeftOut)
				}
			} else if p, _ = planned(*tt.with, tt.entry()); p.Len() != 1 || p.Left() != 0 {
				t.Errorf("%d sent with %+v, left out %v", p.Len(), tt.with, p.LeftOut)
			}
			if tt.why != "" && (len(tt.why.Sentence(1)) < 10 || tt.why.Sentence(1) == tt.why.Sentence(2)) {
				t.Errorf("%q %q", tt.why.Sentence(1), tt.why.Sentence(2))
			}
		})
	}
}

func TestRequestsCarryOptions(t *testing.T) {
	raised, early := delivery("dl_1", "desk", 7), read(entry("re_1", nil), 9)
	all := replay.Options{By: "ann@desk", Comment: "fixed", Run: "rp_1"}
	with := func(f func(*replay.Options)) replay.Options {
		r := all
		f(&r)
		return r
	}
	base := replay.Request{Source: topics.TradeExecutions, By: "ann@desk", Comment: "fixed", Run: "rp_1", Total: 1}
	tests := map[string]struct {
		ask   replay.Options
		entry *dlq.Entry
		want  func(*replay.Request)
	}{
		"as raised":             {all, raised, func(q *replay.Request) { q.Channel = "desk" }},
		"before the rules":      {all, early, func(*replay.Request) {}},
		"rematch":               {with(func(r *replay.Options) { r.Rematch = true }), raised, func(q *replay.Request) { q.Channel, q.Rematch = "desk", true }},
		"rematch is implied":    {with(func(r *replay.Options) { r.Rematch = true }), early, func(*replay.Request) {}},
		"another channel":       {with(func(r *replay.Options) { r.To = "mail" }), raised, func(q *replay.Request) { q.Channel, q.To = "mail", true }},
		"its own channel":       {with(func(r *replay.Options) { r.To = "desk" }), raised, func(q *replay.Request) { q.Channel = "desk" }},
		"a channel for a rule":  {with(func(r *replay.Options) { r.To = "mail" }), early, func(q *replay.Request) { q.Channel, q.To = "mail", true }},
		"edited, so rematched":  {with(func(r *replay.Options) { r.Edited = []byte("{}") }), raised, func(q *replay.Request) { q.Channel, q.Rematch, q.Edited = "desk", true, []byte("{}") }},
		"edited, before a rule": {with(func(r *replay.Options) { r.Edited = []byte{} }), early, func(q *replay.Request) { q.Edited = []byte{} }},
		"forced":                {with(func(r *replay.Options) { r.Force = true }), raised, func(q *replay.Request) { q.Channel, q.Force = "desk", true }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			want := base
			want.Entry, want.Version = tt.entry.ID, tt.entry.Offset
			tt.want(&want)
			_, sent := planned(tt.ask, tt.entry)
			for what, got := range map[string]*replay.Request{"planned": sent[0], "read back": readBack(t, sent[0])} {
				if fmt.Sprintf("%#v", *got) != fmt.Sprintf("%#v", want) {
					t.Errorf("%s\n%#v, want\n%#v", what, *got, want)
				}
			}
		})
	}
}

func readBack(t *testing.T, q *replay.Request) *replay.Request {
	t.Helper()
	got, err := replay.ParseRequest(q.Record("g"))
	if err != nil {
		t.Fatal(err)
	}
	return &got
}

func TestPlanListsDestinations(t *testing.T) {
	entries := []*dlq.Entry{
		delivery("dl_1", "desk", 1), delivery("dl_2", "desk", 2), delivery("dl_3", "hook", 3), read(entry("re_1", nil), 4),
	}
	for name, tt := range map[string]struct {
		ask  replay.Options
		want string
	}{
		"as raised": {replay.Options{}, "[{desk false false 2} { false true 1} {hook false false 1}]"},
		"rematch":   {replay.Options{Rematch: true}, "[{desk true false 2} { false true 1} {hook true false 1}]"},
		"elsewhere": {replay.Options{To: "hook"}, "[{hook false false 3} {hook false true 1}]"},
	} {
		p, _ := planned(tt.ask, entries...)
		if got := fmt.Sprint(p.Destinations()); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
	p, _ := planned(replay.Options{}, entries...)
	if g := p.Stats.Groups(); len(g) != 3 || g[0].Count != 2 || g[0].Detail != "HTTP 422" || !p.Oldest.Equal(failed) || !p.Newest.Equal(failed) {
		t.Errorf("%+v %s %s", g, p.Oldest, p.Newest)
	}
}
