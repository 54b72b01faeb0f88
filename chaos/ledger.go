package main

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/ledger"
)

// The channels that every daemon here has.
const (
	hook = "hook" // a webhook with several at once and six partitions
	desk = "desk" // a webhook with one partition
	mail = "mail"
)

// sharedLedger is the ledger of a row, safe for concurrent use. Alerts are known
// by channel, key and number, which their title shows: the daemon's own ids are
// among what is checked.
type sharedLedger struct {
	mu       sync.Mutex
	book     *ledger.Ledger
	firstTry time.Time // of the first attempt since it was asked for
	tries    chan struct{}
}

func newLedger() *sharedLedger { return &sharedLedger{book: ledger.New()} }

// with locks the ledger for f.
func with[T any](l *sharedLedger, f func(*ledger.Ledger) T) T {
	l.mu.Lock()
	defer l.mu.Unlock()
	return f(l.book)
}

// expect enters an event that is about to be produced and raises an alert of a key
// to each of these channels.
func (l *sharedLedger) expect(key string, refused bool, channels ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.book.Event()
	for _, c := range channels {
		l.book.Expect(ledger.Lane{Channel: c, Key: key}, refused, time.Now())
	}
}

// quiet enters an event that raises no alert.
func (l *sharedLedger) quiet() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.book.Event()
}

// poisoned enters a record that is no event. It is placed once the brokers
// have acknowledged it.
func (l *sharedLedger) poisoned(topic string) *ledger.Poison {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.book.Event()
	return l.book.Poisoned(topic)
}

func (l *sharedLedger) placed(p *ledger.Poison, partition int32, offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.Place.Partition, p.Place.Offset = partition, offset
}

// number returns the number that the next alert of a key to this channel has.
// All channels of a key count alike: load sees to that.
func (l *sharedLedger) number(channel, key string) int {
	return with(l, func(b *ledger.Ledger) int { return b.Next(ledger.Lane{Channel: channel, Key: key}) })
}

// attempt enters that the channel was asked to take the alert with this title
// under this id. It returns nil for an unexpected alert.
func (l *sharedLedger) attempt(channel, title, id string, at time.Time) *ledger.Delivery {
	return l.enter(channel, title, id, at, (*ledger.Ledger).Attempt)
}

// arrived is attempt for a mail: the server writes its file some time after it took it, and
// perhaps after that of the next.
func (l *sharedLedger) arrived(channel, title, id string, at time.Time) *ledger.Delivery {
	return l.enter(channel, title, id, at, (*ledger.Ledger).Arrived)
}

func (l *sharedLedger) enter(channel, title, id string, at time.Time, in func(*ledger.Ledger, *ledger.Delivery, string)) *ledger.Delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.firstTry.IsZero() && l.tries != nil {
		l.firstTry = at
		close(l.tries)
	}
	d := l.book.Find(meant(channel, title))
	if d == nil {
		l.book.Wrong("%s: unexpected alert: %q", channel, title)
		return nil
	}
	in(l.book, d, id)
	return d
}

// meant returns the lane and the number that a title, key/number, means.
func meant(channel, title string) (ledger.Lane, int) {
	key, number, _ := strings.Cut(title, "/")
	n, err := strconv.Atoi(number)
	if err != nil {
		n = -1
	}
	return ledger.Lane{Channel: channel, Key: key}, n
}

// took enters that the channel has taken a delivery, in an attempt that
// arrived at a certain time. Mails come out of their queue in another order
// than they went in.
func (l *sharedLedger) took(d *ledger.Delivery, arrived time.Time, marked bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.book.Took(d, arrived, marked)
}

// fault enters what must not be.
func (l *sharedLedger) fault(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.book.Wrong(format, args...)
}

// disturb enters an event after which a daemon may send again what was in flight.
func (l *sharedLedger) disturb(what string, slack time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.book.Disturb(ledger.Disturbance{At: time.Now(), What: what, Slack: slack})
}

// nextAttempt returns a channel that is closed at the next attempt; tried then
// tells when that was.
func (l *sharedLedger) nextAttempt() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.firstTry, l.tries = time.Time{}, make(chan struct{})
	return l.tries
}

func (l *sharedLedger) tried() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.firstTry
}

// oldest returns the oldest delivery that has no outcome; nil: all have one.
func (l *sharedLedger) oldest() *ledger.Delivery {
	return with(l, func(b *ledger.Ledger) *ledger.Delivery { _, d := b.Open(); return d })
}

// behind returns how many alerts are produced and not taken, roughly and at no
// cost: load waits when it is too many.
func (l *sharedLedger) behind() int     { return with(l, (*ledger.Ledger).Behind) }
func (l *sharedLedger) deliveries() int { return with(l, (*ledger.Ledger).Delivered) }
func (l *sharedLedger) duplicates() int { return with(l, (*ledger.Ledger).Duplicates) }
func (l *sharedLedger) poisonOpen() int { return with(l, (*ledger.Ledger).OpenPoison) }

// deadLettered enters the dead letters that exist now.
func (l *sharedLedger) deadLettered(dead []ledger.DeadLetter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.book.DeadLettered(dead)
}

// committed enters how far a group has committed a log at the end.
func (l *sharedLedger) committed(group string, end ledger.Place, at int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.book.Committed(group, end, at)
}

func (l *sharedLedger) judge(dead []ledger.DeadLetter, t ledger.Terms) *ledger.Verdict {
	return with(l, func(b *ledger.Ledger) *ledger.Verdict { return b.Judge(dead, t) })
}

// account lists the duplicates with their times, for analysis.
func (l *sharedLedger) account() []byte { return with(l, (*ledger.Ledger).Account) }

// delays returns how long those deliveries of a channel took, from the event's
// production to their arrival, that arrived in a span of time; in order.
func (l *sharedLedger) delays(channel string, from, to time.Time) []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []time.Duration
	for _, d := range l.book.Deliveries() {
		if took := d.Took(); d.Lane.Channel == channel && !took.IsZero() && d.Produced.After(from) && took.Before(to) {
			all = append(all, took.Sub(d.Produced))
		}
	}
	slices.Sort(all)
	return all
}

// deadLetterOf is a dead letter as the ledger knows it.
func deadLetterOf(e *dlq.Entry) ledger.DeadLetter {
	l := ledger.DeadLetter{
		ID: e.ID, Index: -1, Reason: string(e.Reason), State: string(e.State),
		Closed: e.State == dlq.Resolved || e.State == dlq.Discarded, Malformed: e.State == dlq.Malformed,
	}
	if e.Envelope == nil {
		return l
	}
	s := e.Envelope.Source
	l.Source = ledger.Place{Topic: s.Topic, Partition: s.Partition, Offset: s.Offset}
	if a := e.Envelope.Alert; a != nil {
		l.Lane, l.Index = meant(e.Envelope.Channel, a.Title.String())
	}
	return l
}
