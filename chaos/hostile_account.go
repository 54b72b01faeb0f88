package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// place is where a record is.
type place struct {
	topic     string
	partition int32
	offset    int64
}

// String returns topic/partition@offset.
func (p place) String() string { return fmt.Sprintf("%s/%d@%d", p.topic, p.partition, p.offset) }

// fate is what may become of a record.
type fate int

const (
	raises  fate = 1 << iota // an alert, delivered to each of its channels
	dies                     // a dead letter, of the record or of a delivery
	quiet                    // nothing: no rule matches
	skipped                  // it is in a topic of ours and is skipped or refused
)

// shot is one record of the soak.
type shot struct {
	class    string
	may      fate
	channels []string // those that its alert goes to, where it raises one
	planted  bool     // a critical alert whose latency counts
	behind   string   // the class of the record in front of it; empty: any
	produced time.Time
	at       place // offset -1 until the brokers have acknowledged it
}

// account compares every record that was produced with every alert that a
// provider took and every dead letter. An alert is known by the place of its
// record, which its title shows.
type account struct {
	mu    sync.Mutex
	all   []*shot
	taken map[string]map[place]time.Time // by channel: when it was first taken
	again int                            // deliveries that were taken more than once
	wrong map[string]int                 // what must not be, whatever becomes of the records: how often
}

func newAccount() *account {
	return &account{taken: make(map[string]map[place]time.Time), wrong: make(map[string]int)}
}

// enter enters a record that is about to be produced.
func (a *account) enter(s *shot) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s.at.offset, s.produced = -1, time.Now()
	a.all = append(a.all, s)
}

// placed enters where the brokers have put a record.
func (a *account) placed(s *shot, partition int32, offset int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s.at.partition, s.at.offset = partition, offset
}

// accept enters that a provider took the alert of a record.
func (a *account) accept(channel string, at place) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.taken[channel] == nil {
		a.taken[channel] = make(map[place]time.Time)
	}
	if _, before := a.taken[channel][at]; before {
		a.again++
		return
	}
	a.taken[channel][at] = now
}

// fault enters what must not be. Faults that are written alike are one.
func (a *account) fault(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if text := fmt.Sprintf(format, args...); len(a.wrong) < 20 || a.wrong[text] > 0 {
		a.wrong[text]++
	}
}

// refuse enters that the brokers did not take a record: it is none.
func (a *account) refuse(s *shot, err error) {
	a.fault("%s: a record could not be produced: %v", s.class, brief(err))
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = slices.DeleteFunc(a.all, func(other *shot) bool { return other == s })
}

// tally is what became of the records of one class.
type tally struct {
	class                               string
	sent, raised, dead, nothing, missed int
	example                             *shot         // one that was missed
	behind                              time.Duration // the longest that a planted alert behind one took
}

// dead-letter writes are the dead letters by the place of their record: "" is the record
// itself, else the channel of the delivery.
type deadLetters map[place]map[string]bool

// commits are the committed offsets by the place of the partition, whose offset
// is 0.
type commits map[place]int64

// past reports whether a record lies below its partition's commit.
func (c commits) past(at place) bool {
	return at.offset >= 0 && at.offset < c[place{at.topic, at.partition, 0}]
}

// add adds a dead letter.
func (b deadLetters) add(at place, channel string) {
	if b[at] == nil {
		b[at] = make(map[string]bool)
	}
	b[at][channel] = true
}

// movedTo is where the alerts go that forged requests move away from chWild.
const movedTo = chHang

// took reports whether a channel, or the one that its alerts are moved to, took
// the alert of a record.
func (a *account) took(channel string, at place) bool {
	_, ok := a.taken[channel][at]
	if !ok && channel == chWild {
		_, ok = a.taken[movedTo][at]
	}
	return ok
}

// outcome returns what became of a record; 0: it is missed.
func (a *account) outcome(s *shot, dead deadLetters, done commits) fate {
	channels := dead[s.at]
	switch {
	case !done.past(s.at):
		return 0
	case s.may == skipped:
		return skipped
	case channels[""]:
		return dies & s.may
	}
	took, ended := 0, 0
	for _, c := range s.channels {
		if a.took(c, s.at) {
			took++
			ended++
		} else if channels[c] {
			ended++
		}
	}
	switch {
	case ended == 0:
		return quiet & s.may
	case ended < len(s.channels):
		return 0
	case took == 0:
		return dies & s.may
	default:
		return raises & s.may
	}
}

// judge compares every record with its outcome.
func (a *account) judge(dead deadLetters, done commits) []tally {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []tally
	index, after := make(map[string]int), make(map[string]time.Duration)
	for _, s := range a.all {
		i, known := index[s.class]
		if !known {
			i = len(list)
			index[s.class] = i
			list = append(list, tally{class: s.class})
		}
		t := &list[i]
		t.sent++
		if s.behind != "" {
			if when, ok := a.taken[s.channels[0]][s.at]; ok {
				after[s.behind] = max(after[s.behind], when.Sub(s.produced))
			}
		}
		switch a.outcome(s, dead, done) {
		case raises:
			t.raised++
		case dies:
			t.dead++
		case quiet, skipped:
			t.nothing++
		default:
			t.missed++
			if t.example == nil {
				t.example = s
			}
		}
	}
	for i := range list {
		list[i].behind = after[list[i].class]
	}
	return list
}

// sources returns how many records are in source topics.
func (a *account) sources() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.all {
		if s.may != skipped {
			n++
		}
	}
	return n
}

// latency is how long planted alerts took to one channel.
type latency struct {
	channel string
	took    []time.Duration // sorted
	missing int             // not taken
	worst   *shot           // of those that were taken, the slowest
}

func (l *latency) at(q float64) time.Duration {
	if len(l.took) == 0 {
		return 0
	}
	return l.took[min(len(l.took)-1, int(q*float64(len(l.took))))]
}

// latencies returns how long the planted alerts took that were produced before
// an instant.
func (a *account) latencies(before time.Time) []latency {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []latency
	for _, s := range a.all {
		if !s.planted || s.produced.After(before) {
			continue
		}
		for _, c := range s.channels {
			i := slices.IndexFunc(list, func(l latency) bool { return l.channel == c })
			if i < 0 {
				i = len(list)
				list = append(list, latency{channel: c})
			}
			l := &list[i]
			when, ok := a.taken[c][s.at]
			if !ok {
				l.missing++
				continue
			}
			took := when.Sub(s.produced)
			if l.worst == nil || took > l.took[len(l.took)-1] {
				l.worst = s
			}
			l.took = append(l.took, took)
			slices.Sort(l.took)
		}
	}
	slices.SortFunc(list, func(a, b latency) int { return slices.Compare([]byte(a.channel), []byte(b.channel)) })
	return list
}

// suspects names the classes that had a record in the second before an
// instant, for a breach that names no record itself.
func (a *account) suspects(at time.Time, within time.Duration) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var names []string
	for _, s := range slices.Backward(a.all) {
		if s.produced.Before(at.Add(-within)) {
			break
		}
		if !s.planted && !slices.Contains(names, s.class) {
			names = append(names, s.class)
		}
	}
	slices.Sort(names)
	return names
}

// missing says what a record lacks that is missed.
func (a *account) missing(s *shot, dead deadLetters, done commits) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !done.past(s.at) {
		return "not committed"
	}
	var open []string
	for _, c := range s.channels {
		if !a.took(c, s.at) && !dead[s.at][c] {
			open = append(open, c)
		}
	}
	switch {
	case len(open) == 0:
		return "it ended as it may not"
	case len(open) == len(s.channels) && len(dead[s.at]) == 0:
		return "neither an alert nor a dead letter"
	}
	return "nothing at " + strings.Join(open, ", ")
}

// brief is an error in a few words: Kafka's own code where there is one.
func brief(err error) string {
	if ke := (*kerr.Error)(nil); errors.As(err, &ke) {
		return ke.Message
	}
	return err.Error()
}
