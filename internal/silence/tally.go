package silence

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/state"
)

// Tally is how many alerts a cause, a silence or quiet hours, has kept from being sent in
// one partition of a channel's outbox, and the JSON form in the state topic.
type Tally struct {
	Count   int            `json:"count"`
	Rules   map[string]int `json:"rules,omitempty"` // at most maxRules, and "" for the others
	Worst   alert.Severity `json:"worst,omitempty"`
	Title   string         `json:"title,omitempty"` // of the first of the worst
	Last    time.Time      `json:"last,omitzero"`   // when the last one was kept from being sent
	Ends    time.Time      `json:"ends,omitzero"`   // of the cause
	Topic   string         `json:"outbox_id,omitempty"`
	Through int64          `json:"through"` // the last offset that is counted
	By      string         `json:"by,omitempty"`
}

const (
	maxRules = 20
	maxTitle = 120 // runes
)

// Add counts an alert.
func (t *Tally) Add(a *alert.Alert) {
	t.Count++
	t.addRule(a.Rule, 1)
	if a.Severity.Rank() > t.Worst.Rank() {
		t.Worst, t.Title = a.Severity, alert.Shorten(a.Title.String(), maxTitle)
	}
}

func (t *Tally) addRule(name string, n int) {
	if t.Rules == nil {
		t.Rules = make(map[string]int)
	}
	if _, known := t.Rules[name]; !known && len(t.Rules) >= maxRules {
		name = ""
	}
	t.Rules[name] += n
}

// Plus returns the sum of two tallies.
func (t Tally) Plus(other Tally) Tally {
	sum := t
	sum.Rules = nil
	for _, part := range []Tally{t, other} {
		for rule, n := range part.Rules {
			sum.addRule(rule, n)
		}
	}
	if other.Count == 0 {
		return sum
	}
	sum.Count += other.Count
	if other.Worst.Rank() > sum.Worst.Rank() {
		sum.Worst, sum.Title = other.Worst, other.Title
	}
	sum.Ends = other.Ends
	if other.Last.After(sum.Last) {
		sum.Last = other.Last
	}
	if sum.Topic != other.Topic || other.Through > sum.Through {
		sum.Topic, sum.Through = other.Topic, other.Through
	}
	return sum
}

// TallyKey is the key of a tally in a channel: what suppressed, and the partition.
type TallyKey struct {
	Cause     string
	Partition int32
}

func (k TallyKey) String() string { return k.Cause + "/" + strconv.Itoa(int(k.Partition)) }

// told is in place of the partition in the key of the record that says how many of a cause
// were told.
const told = "told"

// ToldKey is the key of the record that says how many of a cause were told in a channel.
func ToldKey(cause string) string { return cause + "/" + told }

// ParseTallyKey reads a key; isTold: it is a ToldKey.
func ParseTallyKey(key string) (k TallyKey, isTold, ok bool) {
	cause, part, found := strings.Cut(key, "/")
	if part == told {
		return TallyKey{Cause: cause}, true, found
	}
	n, err := strconv.ParseInt(part, 10, 32)
	return TallyKey{cause, int32(n)}, false, found && err == nil && n >= 0
}

// ParseTally reads a tally.
func ParseTally(value []byte) (Tally, error) {
	var t Tally
	err := json.Unmarshal(value, &t)
	if err == nil && t.Count < 0 {
		err = fmt.Errorf("a count of %d", t.Count)
	}
	return t, err
}

// Listed is a silence with what it has suppressed by channel.
type Listed struct {
	*Silence
	Suppressed Tally
	Channels   map[string]int
}

// List collects the silences of the state topic: pass it all records with Learn.
type List struct {
	silences map[string]*Silence
	tallies  map[string]map[string]Tally // by channel and key
}

// Learn takes in a record.
func (l *List) Learn(r state.Record) {
	switch r.Kind {
	case state.Silence:
		if l.silences == nil {
			l.silences = make(map[string]*Silence)
		}
		delete(l.silences, r.Key)
		if s, err := Parse(r); err == nil {
			l.silences[r.Key] = s
		}
	case state.Suppressed:
		if l.tallies == nil {
			l.tallies = make(map[string]map[string]Tally)
		}
		of := l.tallies[r.Channel]
		if of == nil {
			of = make(map[string]Tally)
			l.tallies[r.Channel] = of
		}
		delete(of, r.Key)
		if t, err := ParseTally(r.Value); err == nil {
			of[r.Key] = t
		}
	}
}

// All returns the silences, also those that have ended, in no order.
func (l *List) All() []Listed {
	var all []Listed
	for id, s := range l.silences {
		one := Listed{Silence: s, Channels: make(map[string]int)}
		for channel, of := range l.tallies {
			for key, t := range of {
				if k, isTold, ok := ParseTallyKey(key); ok && !isTold && k.Cause == id && t.Count > 0 {
					one.Suppressed = one.Suppressed.Plus(t)
					one.Channels[channel] += t.Count
				}
			}
		}
		all = append(all, one)
	}
	return all
}
