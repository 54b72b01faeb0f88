package main

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The channels that every daemon here has.
const (
	hook = "hook" // a webhook with several at once and six partitions
	desk = "desk" // a webhook with one partition
	mail = "mail"
)

// ledger holds every event that was produced against everything that arrived:
// what was tried, what was taken, and in which order. Alerts are known by
// channel, key and number, which their title shows: the daemon's own ids are
// among what is checked.
type ledger struct {
	mu     sync.Mutex
	events int
	lanes  map[laneName]*lane
	all    []*delivery // in the order of their events
	ended  int         // those before it in all have their outcome
	byID   map[string]*delivery
	poison []*poison
	wrong  []string // what must not be, whatever was broken

	taken       int
	refused     int // owed, and refused by the sink so far
	repeats     []repeat
	disturbed   []disturbance
	firstTry    time.Time // of the first attempt since it was asked for
	firstTryAny chan struct{}
}

type laneName struct{ channel, key string }

// lane is the deliveries of one key to one channel: they are in order.
type lane struct {
	list []*delivery
	next int // all before it are taken
}

// delivery is one alert that a channel is owed.
type delivery struct {
	lane     laneName
	index    int // in its lane
	event    int
	produced time.Time
	refuse   bool // the sink refuses it until it is sent again from the dead letters

	id        string
	tried     bool
	takes     int
	lastTried time.Time // when the attempt that was taken last arrived
	firstTook time.Time
	overtaken bool // a later one was tried before this one was taken
	dead      bool // it has, or had, a dead letter
}

func (d *delivery) String() string {
	return fmt.Sprintf("%s %s/%d (event %d, produced %s)", d.lane.channel, d.lane.key, d.index, d.event, d.produced.Format("15:04:05.000"))
}

// poison is one record that is no event.
type poison struct {
	topic     string
	partition int32
	offset    int64 // -1: not acknowledged
	dead      bool
}

// repeat is one delivery that was taken a second time.
type repeat struct {
	delivery *delivery
	first    time.Time // when the attempt arrived that was taken before
	at       time.Time
	marked   bool // it says itself that it may be a repeat
}

// disturbance is something after which a daemon may repeat what it had in
// flight and what it had not committed.
type disturbance struct {
	at   time.Time
	what string
	// slack is how much later than this attempts may arrive that were under way
	// in it.
	slack time.Duration
}

func newLedger() *ledger {
	return &ledger{lanes: make(map[laneName]*lane), byID: make(map[string]*delivery)}
}

// event is what load produces.
type event struct {
	key      string // empty: null
	number   int    // of its key
	channels []string
	refuse   bool
}

// owe enters an event that is about to be produced.
func (l *ledger) owe(e event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events++
	now := time.Now()
	for _, c := range e.channels {
		name := laneName{c, e.key}
		if l.lanes[name] == nil {
			l.lanes[name] = &lane{}
		}
		d := &delivery{lane: name, index: len(l.lanes[name].list), event: l.events, produced: now, refuse: e.refuse}
		l.lanes[name].list = append(l.lanes[name].list, d)
		l.all = append(l.all, d)
		if d.refuse {
			l.refused++
		}
	}
}

// quiet enters an event that raises no alert.
func (l *ledger) quiet() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events++
}

// poisoned enters a record that is no event. It is placed once the brokers
// have acknowledged it.
func (l *ledger) poisoned(topic string) *poison {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events++
	p := &poison{topic: topic, offset: -1}
	l.poison = append(l.poison, p)
	return p
}

func (l *ledger) placed(p *poison, partition int32, offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.partition, p.offset = partition, offset
}

// number returns the number that the next alert of a key to these channels
// has. All channels of a key count alike: load sees to that.
func (l *ledger) number(channel, key string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lane := l.lanes[laneName{channel, key}]; lane != nil {
		return len(lane.list)
	}
	return 0
}

// attempt enters that the channel was asked to take the alert with this title
// under this id. It returns nil for an alert that nobody is owed.
func (l *ledger) attempt(channel, title, id string, at time.Time) *delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.firstTry.IsZero() && l.firstTryAny != nil {
		l.firstTry = at
		close(l.firstTryAny)
	}
	d := l.find(channel, title)
	switch {
	case d == nil:
		l.mistake("%s: an alert that nothing asked for: %q", channel, title)
		return nil
	case d.id == "":
		d.id = id
		l.byID[id] = d
	case d.id != id:
		l.mistake("%s comes under the id %s and under %s", d, d.id, id)
	}
	if !d.tried && d.lane.key != "" {
		d.tried = true
		lane := l.lanes[d.lane]
		for lane.next < len(lane.list) && lane.list[lane.next].takes > 0 {
			lane.next++
		}
		for _, before := range lane.list[min(lane.next, d.index):d.index] {
			before.overtaken = before.overtaken || before.takes == 0
		}
	}
	return d
}

// find returns the delivery that a title, key/number, means.
func (l *ledger) find(channel, title string) *delivery {
	key, number, _ := strings.Cut(title, "/")
	n, err := strconv.Atoi(number)
	lane := l.lanes[laneName{channel, key}]
	if err != nil || lane == nil || n < 0 || n >= len(lane.list) {
		return nil
	}
	return lane.list[n]
}

// took enters that the channel has taken a delivery, in an attempt that
// arrived at a certain time.
func (l *ledger) took(d *delivery, arrived time.Time, marked bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d.takes++
	if d.takes == 1 {
		l.taken++
		d.firstTook = arrived
		if d.refuse {
			l.refused--
		}
	} else {
		// Mails come out of their queue in another order than they went in.
		first, again := d.lastTried, arrived
		if again.Before(first) {
			first, again = again, first
		}
		l.repeats = append(l.repeats, repeat{delivery: d, first: first, at: again, marked: marked})
	}
	if arrived.After(d.lastTried) {
		d.lastTried = arrived
	}
	if arrived.Before(d.firstTook) {
		d.firstTook = arrived
	}
}

// mistake enters what must not be; l.mu is held. A few say it all.
func (l *ledger) mistake(format string, args ...any) {
	if len(l.wrong) < 20 {
		l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
	}
}

func (l *ledger) fault(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mistake(format, args...)
}

// disturb enters that something happened after which a daemon may repeat what
// it had under way.
func (l *ledger) disturb(what string, slack time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.disturbed = append(l.disturbed, disturbance{time.Now(), what, slack})
}

// nextAttempt returns a channel that is closed at the next attempt; tried then
// tells when that was.
func (l *ledger) nextAttempt() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.firstTry, l.firstTryAny = time.Time{}, make(chan struct{})
	return l.firstTryAny
}

func (l *ledger) tried() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.firstTry
}

// open returns how many deliveries have no outcome yet, and the oldest of
// them.
func (l *ledger) open() (n int, oldest *delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.ended < len(l.all) && l.all[l.ended].over() {
		l.ended++
	}
	for _, d := range l.all[l.ended:] {
		if !d.over() {
			n++
			if oldest == nil {
				oldest = d
			}
		}
	}
	return n, oldest
}

// behind returns how many alerts are produced and not taken, roughly and at no
// cost: load waits when it is too many.
func (l *ledger) behind() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all) - l.taken - l.refused
}

// over reports whether nothing more is waited for. What is refused is not: it
// stays a dead letter unless somebody replays it.
func (d *delivery) over() bool { return d.takes > 0 || d.dead || d.refuse }

func (l *ledger) repeated() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.repeats)
}

func (l *ledger) deliveries() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.taken
}
