package dispatch

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/state"
)

// tallyKey is a cause and a partition of the outbox.
type tallyKey struct {
	cause     string
	partition int32
}

// toldOf is in place of the partition in the key of the record that says how many of a
// cause were told.
const toldOf = "told"

func (k tallyKey) state() stateKey {
	return stateKey{state.Suppressed, k.cause + "/" + strconv.Itoa(int(k.partition))}
}

func toldState(cause string) stateKey { return stateKey{state.Suppressed, cause + "/" + toldOf} }

// parseTally reads a key of the state topic; told: of the record that says how many were told.
func parseTally(key string) (k tallyKey, told, ok bool) {
	cause, part, found := strings.Cut(key, "/")
	if part == toldOf {
		return tallyKey{cause: cause}, true, found
	}
	n, err := strconv.ParseInt(part, 10, 32)
	return tallyKey{cause, int32(n)}, false, found && err == nil && n >= 0
}

// tally is what a cause has kept from being sent in one partition: what former owners of
// the partition have counted, and what this one has.
type tally struct {
	former, own suppressed
}

func (t *tally) sum() suppressed {
	s := t.former
	s.Rules = nil
	for _, part := range []*suppressed{&t.former, &t.own} {
		for rule, n := range part.Rules {
			s.rule(rule, n)
		}
	}
	if t.own.Count == 0 {
		return s
	}
	s.Count += t.own.Count
	if t.own.Worst.Rank() > s.Worst.Rank() {
		s.Worst, s.Title = t.own.Worst, t.own.Title
	}
	s.Last, s.Ends = t.own.Last, t.own.Ends
	if s.Topic != t.own.Topic || t.own.Through > s.Through {
		s.Topic, s.Through = t.own.Topic, t.own.Through
	}
	return s
}

// suppressed is a number of alerts that were not sent, and the JSON form in the state topic.
type suppressed struct {
	Count   int            `json:"count"`
	Rules   map[string]int `json:"rules,omitempty"` // at most maxRules, and "" for the others
	Worst   alert.Severity `json:"worst,omitempty"`
	Title   string         `json:"title,omitempty"` // of the first of the worst
	Last    time.Time      `json:"last,omitzero"`   // when the last one was kept from being sent
	Ends    time.Time      `json:"ends,omitzero"`
	Topic   string         `json:"outbox_id,omitempty"`
	Through int64          `json:"through"` // the last offset that is counted
	By      string         `json:"by,omitempty"`
}

const (
	maxRules     = 20
	maxWorstText = 120 // runes
)

func (s *suppressed) rule(name string, n int) {
	if s.Rules == nil {
		s.Rules = make(map[string]int)
	}
	if _, known := s.Rules[name]; !known && len(s.Rules) >= maxRules {
		name = ""
	}
	s.Rules[name] += n
}

// count adds an alert, unless a former owner of the partition has: it was kept from being
// sent, and no commit said so.
func (s *silencing) count(key tallyKey, c *cause, a *alert.Alert, at place, now time.Time) {
	if s.tallies == nil {
		s.tallies = make(map[tallyKey]*tally)
	}
	t := s.tallies[key]
	if t == nil {
		t = new(tally)
		s.tallies[key] = t
	}
	if t.former.Topic == at.topic && at.offset <= t.former.Through && t.former.Count > 0 {
		return
	}
	own := &t.own
	own.Count++
	own.rule(a.Rule, 1)
	if a.Severity.Rank() > own.Worst.Rank() {
		own.Worst, own.Title = a.Severity, alert.Shorten(a.Title.String(), maxWorstText)
	}
	own.Last, own.Ends = now.UTC(), c.ends.UTC()
	if own.Topic != at.topic || at.offset > own.Through {
		own.Topic, own.Through = at.topic, at.offset
	}
}

// record returns what the state topic is to say of a key: a tombstone where it is forgotten.
func (s *silencing) record(key, channel string) state.Record {
	r := state.Record{Kind: state.Suppressed, Channel: channel, Key: key}
	k, told, ok := parseTally(key)
	n, known := s.told[k.cause]
	switch t := s.tallies[k]; {
	case !ok, told && !known, !told && t == nil:
	case told:
		r.Value = fmt.Appendf(nil, `{"told":%d,"by":%q}`, n, s.by)
	default:
		sum := t.sum()
		sum.By = s.by
		r.Value, _ = json.Marshal(sum) // of texts, numbers and times of four-digit years
	}
	return r
}

// learnTally takes in what any process has written. stale: this process reads the partition
// and has counted more since.
func (s *silencing) learnTally(r state.Record, owns func(int32) bool) (key tallyKey, stale bool) {
	key, told, ok := parseTally(r.Key)
	if !ok {
		return key, false
	}
	if r.Value == nil {
		if told {
			delete(s.told, key.cause)
		} else {
			delete(s.tallies, key)
		}
		return key, false
	}
	var saved struct {
		suppressed
		Told int `json:"told"`
	}
	if json.Unmarshal(r.Value, &saved) != nil || saved.By == s.by || saved.Count < 0 {
		return key, false
	}
	if told {
		if s.told == nil {
			s.told = make(map[string]int)
		}
		s.told[key.cause] = max(s.told[key.cause], saved.Told)
		return key, false
	}
	if s.tallies == nil {
		s.tallies = make(map[tallyKey]*tally)
	}
	t := s.tallies[key]
	if t == nil || !owns(key.partition) {
		t = new(tally)
		s.tallies[key] = t
	}
	t.former = saved.suppressed
	return key, t.own.Count > 0
}
