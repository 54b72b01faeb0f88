package main

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/algotrade/notifier/internal/dlq"
)

// letter is a dead letter as it stands in its topic.
type letter struct {
	id, reason, title, channel string
	state                      dlq.State
	topic                      string
	partition                  int32
	offset                     int64
}

func letterOf(e *dlq.Entry) letter {
	l := letter{id: e.ID, reason: string(e.Reason), state: e.State}
	if e.Envelope == nil {
		return l
	}
	s := e.Envelope.Source
	l.topic, l.partition, l.offset, l.channel = s.Topic, s.Partition, s.Offset, e.Envelope.Channel
	if a := e.Envelope.Alert; a != nil {
		l.title = a.Title.String()
	}
	return l
}

func (l letter) closed() bool { return l.state == dlq.Resolved || l.state == dlq.Discarded }

// bury enters the dead letters as they stand now: what has one has its
// outcome.
func (l *ledger) bury(letters []letter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	type place struct {
		topic     string
		partition int32
		offset    int64
	}
	places := make(map[place]bool)
	for _, letter := range letters {
		if d := l.meant(letter); d != nil {
			d.dead = true
			continue
		}
		places[place{letter.topic, letter.partition, letter.offset}] = true
	}
	for _, p := range l.poison {
		p.dead = p.dead || places[place{p.topic, p.partition, p.offset}]
	}
}

// meant returns the delivery of a dead letter; nil: a record that failed
// before its rules ran.
func (l *ledger) meant(letter letter) *delivery {
	if d := l.byID[letter.id]; d != nil {
		return d
	}
	if letter.title == "" {
		return nil
	}
	return l.find(letter.channel, letter.title)
}

// poisonOpen returns how many poison records have no dead letter yet.
func (l *ledger) poisonOpen() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, p := range l.poison {
		if !p.dead {
			n++
		}
	}
	return n
}

// terms are what a row allows.
type terms struct {
	// perDisturbance is how many deliveries of a channel each kill, freeze or
	// loss of partitions may repeat: what was in flight and what was not
	// committed.
	perDisturbance map[string]int
	// share, where it is set, bounds the repeats by a part of the deliveries
	// instead.
	share float64
	// marked allows repeats that say themselves that they may be one.
	marked bool
	// exhausted allows dead letters of deliveries that were tried often enough
	// while others succeeded.
	exhausted bool
	// superfluous allows dead letters of what was delivered all the same: an
	// owner that was frozen may write one.
	superfluous bool
}

// verdict is what came of a row.
type verdict struct {
	events, deliveries, letters int
	lost, disordered            int
	repeated, marked            int
	worst, bound                int // repeats after one disturbance, and how many may be
	share                       float64
	disturbances                int
	open, closed                int // dead letters
	failures                    []string
}

func (v *verdict) ok() bool { return len(v.failures) == 0 }

// judge compares what was owed with what came, at the end of a row.
func (l *ledger) judge(letters []letter, t terms) *verdict {
	l.bury(letters)
	l.mu.Lock()
	defer l.mu.Unlock()
	v := &verdict{events: l.events, deliveries: l.taken, letters: len(letters), disturbances: len(l.disturbed), share: t.share}
	fail := func(format string, args ...any) {
		if len(v.failures) < 30 {
			v.failures = append(v.failures, fmt.Sprintf(format, args...))
		}
	}
	for _, w := range l.wrong {
		fail("%s", w)
	}
	l.judgeLosses(v, letters, t, fail)
	l.judgeOrder(v, fail)
	l.judgeRepeats(v, t, fail)
	return v
}

func (l *ledger) judgeLosses(v *verdict, letters []letter, t terms, fail func(string, ...any)) {
	state := make(map[*delivery]letter)
	for _, letter := range letters {
		if letter.closed() {
			v.closed++
		} else {
			v.open++
		}
		if d := l.meant(letter); d != nil {
			state[d] = letter
		}
		if letter.state == dlq.Malformed {
			fail("a malformed dead letter: %+v", letter)
		}
	}
	for _, d := range l.all {
		letter, dead := state[d]
		switch {
		case d.takes > 0 && dead && !letter.closed() && !t.superfluous:
			fail("delivered, and its dead letter is %s: %s %s", letter.state, d, letter.id)
		case d.takes > 0:
		case !dead:
			v.lost++
			fail("lost: %s", d)
		case letter.closed():
			v.lost++
			fail("lost: its dead letter is %s and nothing was delivered: %s", letter.state, d)
		}
		if dead && !d.refuse && !(t.exhausted && letter.reason == "exhausted") {
			fail("a dead letter (%s) of what the sink would have taken: %s", letter.reason, d)
		}
	}
	for _, p := range l.poison {
		if !p.dead {
			v.lost++
			fail("lost: no dead letter for %s/%d@%d", p.topic, p.partition, p.offset)
		}
	}
}

// judgeOrder: nobody is tried before the one before him has his outcome. What
// mails were tried is not seen, only when they were taken.
func (l *ledger) judgeOrder(v *verdict, fail func(string, ...any)) {
	for _, d := range l.all {
		if d.overtaken && !d.dead {
			v.disordered++
			fail("order broken: the next was tried before it was taken: %s", d)
		}
	}
	for name, lane := range l.lanes {
		if name.channel != mail || name.key == "" {
			continue
		}
		var last *delivery
		for _, d := range lane.list {
			if d.takes == 0 {
				continue
			}
			if last != nil && d.firstTook.Before(last.firstTook) {
				v.disordered++
				fail("order broken: %s was taken after %s", last, d)
			}
			last = d
		}
	}
}

func (l *ledger) judgeRepeats(v *verdict, t terms, fail func(string, ...any)) {
	v.repeated = len(l.repeats)
	if t.share > 0 {
		if float64(v.repeated) > t.share*float64(v.deliveries) {
			fail("%d of %d deliveries came again, more than %.0f %%", v.repeated, v.deliveries, 100*t.share)
		}
		return
	}
	for _, n := range t.perDisturbance {
		v.bound += n
	}
	// A repeat belongs to the disturbance that came next after the attempt
	// that was taken first: that one lost the memory of it.
	counts := make([]map[string]int, len(l.disturbed))
	for _, r := range l.repeats {
		i := slices.IndexFunc(l.disturbed, func(d disturbance) bool { return d.at.Add(d.slack).After(r.first) && d.at.Before(r.at) })
		switch {
		case i >= 0:
			if counts[i] == nil {
				counts[i] = make(map[string]int)
			}
			counts[i][r.delivery.lane.channel]++
		case r.marked && t.marked:
			v.marked++
		default:
			fail("repeated although nothing was disturbed: %s at %s, again at %s", r.delivery, r.first.Format("15:04:05.000"), r.at.Format("15:04:05.000"))
		}
	}
	for i, of := range counts {
		sum := 0
		for channel, n := range of {
			sum += n
			if n > t.perDisturbance[channel] {
				fail("%s: %d deliveries to %s repeated, %d may be", l.disturbed[i].what, n, channel, t.perDisturbance[channel])
			}
		}
		v.worst = max(v.worst, sum)
	}
}

// accountOfRepeats writes who came again and when, for whoever looks into it.
func (l *ledger) accountOfRepeats() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b bytes.Buffer
	const clock = "15:04:05.000"
	for _, d := range l.disturbed {
		fmt.Fprintf(&b, "%s %s\n", d.at.UTC().Format(clock), d.what)
	}
	for _, r := range l.repeats {
		d := r.delivery
		fmt.Fprintf(&b, "%s again, first %s: %s %s/%d %s\n", r.at.UTC().Format(clock), r.first.UTC().Format(clock), d.lane.channel, d.lane.key, d.index, d.id)
	}
	return b.Bytes()
}
