// Package ledger judges how a run of the notifier ended. It keeps every alert that a
// channel should get, every attempt and delivery that the providers saw, the dead
// letters and the committed offsets, and reports what is lost, out of order, sent
// too often or unsettled. It does not depend on Kafka or on how the notifier works:
// the end-to-end schedules on an in-memory broker and the rows of chaos on a real
// cluster fill the same ledger. What may be missing, a duplicate or out of order
// nevertheless is in excuses.go, one function each.
//
// A ledger is not safe for concurrent use.
package ledger

import (
	"fmt"
	"time"
)

// Ledger is what was expected and what happened.
type Ledger struct {
	events       int
	lanes        map[Lane]*lane
	all          []*Delivery // in the order of their events
	settled      int         // all before it are
	byID         map[string]*Delivery
	poison       []*Poison
	disturbances []Disturbance
	duplicates   []duplicate
	wrong        []Failure
	delivered    int
	refused      int // expected, and refused so far
}

// Lane is the deliveries of one key to one channel. They are in order, but for
// those of the empty key.
type Lane struct{ Channel, Key string }

type lane struct {
	list []*Delivery
	next int // all before it are taken
}

// Place is an offset of a topic's partition.
type Place struct {
	Topic     string
	Partition int32
	Offset    int64
}

func (p Place) String() string { return fmt.Sprintf("%s/%d@%d", p.Topic, p.Partition, p.Offset) }

// Delivery is one alert for one channel.
type Delivery struct {
	Lane     Lane
	Index    int // in its lane, from 0
	Event    int // which one raised it, from 1
	Produced time.Time
	// Refused: the provider refuses it until its dead letter is replayed.
	Refused bool
	// Gone: it was in an outbox that an operator deleted.
	Gone bool
	// Overtaken is set when its outbox refused it at first and took later ones.
	Overtaken bool
	// MovedTo is the delivery to the channel that it was moved to; nil: none.
	MovedTo *Delivery

	takes     int
	firstTook time.Time  // when the attempt began that was taken first
	came      []instance // as it was raised for its channel, and by how often it was moved until then
	id        string
	tried     bool
	passed    bool // a later one of its lane was attempted before this one was taken
	dead      bool // it has, or had, a dead letter
}

// instance is one of the ways in which a delivery comes to a channel. The one is no
// duplicate of the other.
type instance struct{ last time.Time } // when the last attempt began that was taken; zero: none was

func (d *Delivery) String() string {
	return fmt.Sprintf("%s %s/%d (event %d, produced %s)", d.Lane.Channel, d.Lane.Key, d.Index, d.Event, d.Produced.Format("15:04:05.000"))
}

// Took returns when the first successful attempt began; zero: there is none.
func (d *Delivery) Took() time.Time { return d.firstTook }

// settled reports whether it has its outcome. A refused one counts as settled: it
// stays a dead letter unless it is replayed.
func (d *Delivery) settled() bool { return d.takes > 0 || d.dead || d.Refused }

// Poison is one record that is no event.
type Poison struct {
	Place Place // Offset -1: it is not acknowledged
	dead  bool
}

// DeadLetter is a dead letter at the end of a run.
type DeadLetter struct {
	ID        string
	Lane      Lane
	Index     int   // of its delivery in the lane; -1: it has no delivery
	Source    Place // of its record
	Reason    string
	State     string // for the report
	Closed    bool   // resolved or discarded
	Malformed bool
}

// Disturbance is an event after which deliveries that were in flight or uncommitted
// may be duplicated.
type Disturbance struct {
	At   time.Time
	What string
	// Slack is how much later than At the attempts that it disturbs may begin.
	Slack time.Duration
}

// duplicate is one delivery that was taken a second time.
type duplicate struct {
	delivery *Delivery
	first    time.Time // when the attempt began that was taken before
	again    time.Time
	marked   bool // the message says that it may be a duplicate
}

// New returns an empty ledger.
func New() *Ledger {
	return &Ledger{lanes: make(map[Lane]*lane), byID: make(map[string]*Delivery)}
}

// Event counts an event that is about to be produced.
func (l *Ledger) Event() { l.events++ }

// Expect enters that the last event raises an alert in a lane.
func (l *Ledger) Expect(name Lane, refused bool, at time.Time) *Delivery {
	if l.lanes[name] == nil {
		l.lanes[name] = &lane{}
	}
	in := l.lanes[name]
	d := &Delivery{Lane: name, Index: len(in.list), Event: l.events, Produced: at, Refused: refused}
	in.list = append(in.list, d)
	l.all = append(l.all, d)
	if refused {
		l.refused++
	}
	return d
}

// Poisoned enters that the last event is no event. Its Offset is set once the
// brokers have acknowledged it.
func (l *Ledger) Poisoned(topic string) *Poison {
	p := &Poison{Place: Place{Topic: topic, Offset: -1}}
	l.poison = append(l.poison, p)
	return p
}

// Find returns the delivery with an index in a lane; nil: there is none.
func (l *Ledger) Find(name Lane, index int) *Delivery {
	if in := l.lanes[name]; in != nil && index >= 0 && index < len(in.list) {
		return in.list[index]
	}
	return nil
}

// Next returns the index that the next delivery of a lane has.
func (l *Ledger) Next(name Lane) int {
	if in := l.lanes[name]; in != nil {
		return len(in.list)
	}
	return 0
}

// Arrived enters the id under which a delivery arrived at a channel that does not show when
// it was asked. Deliveries may be entered in any order: the times of Took are judged.
func (l *Ledger) Arrived(d *Delivery, id string) {
	if d.id == "" {
		d.id = id
		l.byID[id] = d
	} else if d.id != id {
		l.Wrong("%s has the id %s and the id %s", d, d.id, id)
	}
}

// Attempt enters that the channel was asked to take a delivery under an id, when it was.
func (l *Ledger) Attempt(d *Delivery, id string) {
	l.Arrived(d, id)
	if d.tried || d.Lane.Key == "" {
		return
	}
	d.tried = true
	in := l.lanes[d.Lane]
	for in.next < len(in.list) && in.list[in.next].takes > 0 {
		in.next++
	}
	for _, before := range in.list[min(in.next, d.Index):d.Index] {
		before.passed = before.passed || before.takes == 0
	}
}

// Took enters that the channel has taken a delivery, as it was raised for it, in an
// attempt that began at a certain time. Attempts may be entered in any order.
func (l *Ledger) Took(d *Delivery, began time.Time, marked bool) { l.TookMoved(d, 0, began, marked) }

// TookMoved is Took for a delivery that came to the channel by so many moves: of an
// alert for two channels, one may be moved there, and the other there and back.
func (l *Ledger) TookMoved(d *Delivery, moves int, began time.Time, marked bool) {
	for len(d.came) <= moves {
		d.came = append(d.came, instance{})
	}
	as := &d.came[moves]
	if !as.last.IsZero() {
		first, again := as.last, began
		if again.Before(first) {
			first, again = again, first
		}
		l.duplicates = append(l.duplicates, duplicate{d, first, again, marked})
	}
	if began.After(as.last) {
		as.last = began
	}
	if d.takes++; d.takes == 1 {
		l.delivered++
		if d.Refused {
			l.refused--
		}
	}
	if d.takes == 1 || began.Before(d.firstTook) {
		d.firstTook = began
	}
}

// Disturb enters a disturbance. They are entered in the order of their times.
func (l *Ledger) Disturb(d Disturbance) { l.disturbances = append(l.disturbances, d) }

// Wrong enters a failure that no disturbance excuses. The first 20 are kept.
func (l *Ledger) Wrong(format string, args ...any) {
	if len(l.wrong) < 20 {
		l.wrong = append(l.wrong, Failure{Mistake, fmt.Sprintf(format, args...)})
	}
}

// Committed enters how far a group has committed a log at the end, and where
// that ends.
func (l *Ledger) Committed(group string, end Place, committed int64) {
	if committed != end.Offset {
		l.wrong = append(l.wrong, Failure{Uncommitted, fmt.Sprintf("%s has committed %d of %s", group, committed, end)})
	}
}

// DeadLettered enters the dead letters that exist now: a delivery that has one has
// its outcome.
func (l *Ledger) DeadLettered(entries []DeadLetter) {
	places := make(map[Place]bool)
	for _, entry := range entries {
		if d := l.of(entry); d != nil {
			d.dead = true
		} else {
			places[entry.Source] = true
		}
	}
	for _, p := range l.poison {
		p.dead = p.dead || places[p.Place]
	}
}

// of returns the delivery of a dead letter; nil: its record failed before its rules
// ran.
func (l *Ledger) of(entry DeadLetter) *Delivery {
	if d := l.byID[entry.ID]; d != nil {
		return d
	}
	return l.Find(entry.Lane, entry.Index)
}

// Open returns how many deliveries have no outcome yet, and the oldest of them.
func (l *Ledger) Open() (n int, oldest *Delivery) {
	for l.settled < len(l.all) && l.all[l.settled].settled() {
		l.settled++
	}
	for _, d := range l.all[l.settled:] {
		if !d.settled() {
			n++
			if oldest == nil {
				oldest = d
			}
		}
	}
	return n, oldest
}

// OpenPoison returns how many poison records have no dead letter yet.
func (l *Ledger) OpenPoison() (n int) {
	for _, p := range l.poison {
		if !p.dead {
			n++
		}
	}
	return n
}

// Behind returns how many alerts are produced and not taken, roughly.
func (l *Ledger) Behind() int { return len(l.all) - l.delivered - l.refused }

// Delivered returns how many deliveries were taken.
func (l *Ledger) Delivered() int { return l.delivered }

// Duplicates returns how many duplicates were taken.
func (l *Ledger) Duplicates() int { return len(l.duplicates) }

// Deliveries returns all expected deliveries, in the order of their events.
func (l *Ledger) Deliveries() []*Delivery { return l.all }
