// Package backtest tells what channels would send for alerts of the past, or of a test: the
// messages, their times and what becomes of each delivery. It runs the dispatchers of the
// daemon, with their throttles, episodes, reminders, digests, rate limits, silences and
// expiry, on a clock of its own, so that a day takes as long as its alerts take to decide.
//
// Nothing fails in it: each attempt succeeds, and what is written is acknowledged at once.
// Start reading at Simulation.Add.
package backtest

import (
	"cmp"
	"container/heap"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/silence"
)

// Params is what a Simulation needs.
type Params struct {
	// Channels are those that messages are wanted of, by name. Alerts for others are left out.
	Channels map[string]Channel
	// Rules are those that the alerts are of. They say the digests, the time zone, and the
	// quiet hours of reminders.
	Rules    *rule.Set
	Silences []*silence.Silence
	// Group and Cluster are the consumer group and the cluster's id, which the ids of alerts
	// and deliveries are made of. Empty: the ids are not the daemon's.
	Group, Cluster string
	// Window is kafka.window, the zero one its default: what gathers takes up to half of it.
	Window kafka.Window

	OnMessage func(Message) // nil: nobody wants to know
	// OnDecision is told of each delivery that has ended, as the delivery log would be. A
	// resolved alert of which no firing was told ends without.
	OnDecision func(*deliverylog.Record)
	Logger     *slog.Logger // of the dispatchers; nil: none
}

// Channel is how one channel sends.
type Channel struct {
	Config dispatch.Config
	// Edits is set for a channel that replaces its last digest of a group by the next.
	Edits bool
	// Latency is how long an attempt takes.
	Latency time.Duration
}

// Simulation is the dispatchers of some channels on a clock that Add and Finish move. What
// it holds is what the daemon would: what is open, not what was. It is for one goroutine.
type Simulation struct {
	p      Params
	now    time.Time
	lines  []*line // in the order of their names
	byName map[string]*line
	window *dispatch.Window
	due    []func() // to be done now, in order
	later  later
	events uint64 // of later, ever
}

// New returns a simulation in which nothing has happened yet.
func New(p Params) *Simulation {
	if p.Logger == nil {
		p.Logger = slog.New(slog.DiscardHandler)
	}
	if p.Window == (kafka.Window{}) {
		p.Window = kafka.Defaults().Window
	}
	s := &Simulation{
		p: p, now: time.Unix(0, 0), byName: make(map[string]*line),
		window: &dispatch.Window{Deliveries: p.Window.Unsettled, Bytes: p.Window.Outbox()},
	}
	for _, name := range slices.Sorted(maps.Keys(p.Channels)) {
		l := newLine(s, name, p.Channels[name])
		s.lines, s.byName[name] = append(s.lines, l), l
	}
	s.do()
	return s
}

// Add has an alert arrive at a time, which must not be before that of the last call: as the
// daemon would, it is decided, sent or gathered, after all that was due until then. The alert
// is as rule.Set.MatchKnown returns it, firing or resolved, and must not change any longer;
// src is the record of its event, of whose value and headers only the size counts. Resolved alerts of
// which no firing was told are dropped here as they are in the daemon, so it does not matter
// how many there are.
func (s *Simulation) Add(at time.Time, a *alert.Alert, src envelope.Source) {
	s.advance(at)
	a = s.identify(a, &src)
	for _, name := range a.Channels {
		l := s.byName[name]
		if l == nil {
			continue
		}
		e := &envelope.Envelope{Source: src, Alert: a.In(name), Channel: name, Delivery: alert.NewDelivery(a.ID, name)}
		if len(a.Channels) > 1 {
			e.Channels = a.Channels
		}
		at := offsets.Position{Offset: src.Offset}
		e.From = offsets.Origin{Input: offsets.Input{Topic: src.TopicID, Partition: src.Partition}, From: at, Done: at, Delivery: e.Delivery}
		l.take(e)
	}
	s.do()
}

// identify returns an alert with an id, as ingest gives it.
func (s *Simulation) identify(a *alert.Alert, src *envelope.Source) *alert.Alert {
	if a.ID != "" {
		return a
	}
	one, id := *a, alert.Source{Cluster: s.p.Cluster, Topic: src.TopicID, Partition: src.Partition, Offset: src.Offset}
	if id.Topic == "" {
		id.Topic = src.Topic
	}
	if one.ID = alert.NewID(s.p.Group, id, a.Rule); a.State == alert.Resolved {
		one.ID = alert.NewResolvedID(s.p.Group, id, a.Rule)
	}
	return &one
}

// Finish has the clock run until a time, so that windows end and reminders are due, and
// ends the simulation: no further attempt begins.
func (s *Simulation) Finish(until time.Time) {
	s.advance(until)
	for _, l := range s.lines {
		_ = l.dispatcher.Close() // its channel has nothing to close
	}
	for len(s.later) > 0 { // attempts that are under way
		at, do := s.next()
		s.now = at
		do()
		s.do()
	}
}

// Pending is how many deliveries wait: gathered, or for the rate limit.
func (s *Simulation) Pending() (n int) {
	for _, l := range s.lines {
		n += l.dispatcher.Status().Pending
	}
	return n
}

// advance does what is due until a time, which is the present then.
func (s *Simulation) advance(until time.Time) {
	for {
		at, do := s.next()
		if do == nil || at.After(until) {
			break
		}
		if at.After(s.now) {
			s.now = at
		}
		do()
		s.do()
	}
	if until.After(s.now) {
		s.now = until
	}
}

// next returns what is to be done next, and when; nil: nothing is.
func (s *Simulation) next() (at time.Time, do func()) {
	if len(s.later) > 0 {
		at, do = s.later[0].at, func() { heap.Pop(&s.later).(event).do() }
	}
	for _, l := range s.lines {
		if !l.wakeAt.IsZero() && (do == nil || l.wakeAt.Before(at)) {
			at, do = l.wakeAt, l.look
		}
	}
	return at, do
}

// do does what is to be done now, and what that leads to.
func (s *Simulation) do() {
	for i := 0; i < len(s.due); i++ {
		s.due[i]()
		s.due[i] = nil
	}
	s.due = s.due[:0]
}

// soon has something done behind what is to be done now.
func (s *Simulation) soon(do func()) { s.due = append(s.due, do) }

// after has something done after a time.
func (s *Simulation) after(d time.Duration, do func()) {
	if d <= 0 {
		s.soon(do)
		return
	}
	s.events++
	heap.Push(&s.later, event{s.now.Add(d), s.events, do})
}

// later is a heap of what is to be done, the first before the others.
type later []event

type event struct {
	at     time.Time
	number uint64 // of those at one time, the first is done first
	do     func()
}

func (h later) Len() int      { return len(h) }
func (h later) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h later) Less(i, j int) bool {
	return cmp.Or(h[i].at.Compare(h[j].at), cmp.Compare(h[i].number, h[j].number)) < 0
}

// Push implements heap.Interface.
func (h *later) Push(x any) { *h = append(*h, x.(event)) }

// Pop implements heap.Interface.
func (h *later) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = event{}
	*h = old[:len(old)-1]
	return last
}
