package dispatch

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/silence"
	"github.com/algotrade/notifier/internal/state"
	"github.com/algotrade/notifier/internal/throttle"
)

// tally is what a cause has kept from being sent in one partition: what former owners of
// the partition have counted, and what this one has.
type tally struct {
	former, own silence.Tally
}

func (t *tally) sum() silence.Tally { return t.former.Plus(t.own) }

func tallyState(key silence.TallyKey) stateKey { return stateKey{state.Suppressed, key.String()} }

func toldState(cause string) stateKey { return stateKey{state.Suppressed, silence.ToldKey(cause)} }

// count adds an alert, unless a former owner of the partition has: it was kept from being
// sent, and no commit said so.
func (s *silencing) count(key silence.TallyKey, c *cause, a *alert.Alert, at throttle.Place, now time.Time) {
	if s.tallies == nil {
		s.tallies = make(map[silence.TallyKey]*tally)
	}
	t := s.tallies[key]
	if t == nil {
		t = new(tally)
		s.tallies[key] = t
	}
	if t.former.Count > 0 && t.former.Topic == at.Topic && at.Offset <= t.former.Through {
		return
	}
	s.look = time.Time{}
	own := &t.own
	own.Add(a)
	own.Last, own.Ends = now.UTC(), c.ends.UTC()
	if own.Topic != at.Topic || at.Offset > own.Through {
		own.Topic, own.Through = at.Topic, at.Offset
	}
}

// record returns what the state topic is to say of a key: a tombstone where it is forgotten.
func (s *silencing) record(key, channel string) state.Record {
	r := state.Record{Kind: state.Suppressed, Channel: channel, Key: key}
	k, told, ok := silence.ParseTallyKey(key)
	n, known := s.told[k.Cause]
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
func (s *silencing) learnTally(r state.Record, owns func(int32) bool) (key silence.TallyKey, stale bool) {
	key, told, ok := silence.ParseTallyKey(r.Key)
	switch {
	case !ok:
		return key, false
	case r.Value == nil && told:
		delete(s.told, key.Cause)
		return key, false
	case r.Value == nil:
		delete(s.tallies, key)
		return key, false
	case told:
		s.learnTold(key.Cause, r.Value)
		return key, false
	}
	saved, err := silence.ParseTally(r.Value)
	if err != nil || saved.By == s.by {
		return key, false
	}
	if s.tallies == nil {
		s.tallies = make(map[silence.TallyKey]*tally)
	}
	t := s.tallies[key]
	if t == nil || !owns(key.Partition) {
		t = new(tally)
		s.tallies[key] = t
	}
	t.former = saved
	return key, t.own.Count > 0
}

// learnTold takes in how many of a cause were told. It never becomes less.
func (s *silencing) learnTold(cause string, value []byte) {
	var saved struct{ Told int }
	if json.Unmarshal(value, &saved) != nil {
		return
	}
	if s.told == nil {
		s.told = make(map[string]int)
	}
	s.told[cause] = max(s.told[cause], saved.Told)
}
