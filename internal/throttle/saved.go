package throttle

import (
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/state"
)

// savedThrottle is a throttle in the state topic.
type savedThrottle struct {
	Delivery string         `json:"delivery"`
	Told     time.Time      `json:"told"`
	Newest   time.Time      `json:"newest"`
	Throttle time.Duration  `json:"throttle_ns"`
	Severity alert.Severity `json:"severity"`
	Count    int            `json:"count,omitempty"`
	Since    time.Time      `json:"since,omitzero"`
	Topic    string         `json:"outbox_id"`
	Through  [][2]int64     `json:"through"` // partition and offset
	Opened   string         `json:"opened,omitempty"`
	Episode  *Episode       `json:"episode,omitempty"`
	By       string         `json:"by"` // which dispatcher
}

// Record returns what the state topic is to say of a key: a tombstone where it is forgotten.
func (t *Set) Record(key Key, channel string) state.Record {
	r := state.Record{Kind: state.Throttle, Channel: channel, Key: hex.EncodeToString(key[:])}
	e := t.byKey[key]
	if e == nil {
		return r
	}
	s := e.Value.(*Entry)
	saved := savedThrottle{
		Delivery: s.Delivery, Told: s.told.UTC(), Newest: s.newest.UTC(), Throttle: s.throttle, Severity: s.Severity, Count: s.count, Topic: s.Through.topic, By: t.By,
		Opened: s.Opened, Episode: s.Episode,
	}
	if s.count > 0 {
		saved.Since = s.since.UTC()
	}
	for _, last := range s.Through.last {
		saved.Through = append(saved.Through, [2]int64{int64(last.partition), last.offset})
	}
	r.Value, _ = json.Marshal(saved) // of texts, numbers and times of four-digit years
	return r
}

// Learn takes in a record of the state topic and returns its key. stale: what is known here
// of a partition that owns reports to be read by this process is newer, so the record is not
// the last word. Of a record that this process has written, or cannot read, nothing is learned.
func (t *Set) Learn(r state.Record, owns func(*Positions) bool, now time.Time) (key Key, stale bool) {
	if n, err := hex.Decode(key[:], []byte(r.Key)); r.Kind != state.Throttle || len(r.Key) != 2*len(key) || n != len(key) || err != nil {
		return key, false
	}
	var here *Entry
	if e := t.byKey[key]; e != nil {
		here = e.Value.(*Entry)
	}
	if r.Value == nil {
		if here == nil {
			return key, false
		}
		if !owns(&here.Through) {
			t.forget(t.byKey[key])
			return key, false
		}
		return key, true
	}
	var saved savedThrottle
	if json.Unmarshal(r.Value, &saved) != nil || saved.By == t.By || saved.Throttle < 0 || saved.Count < 0 || saved.Severity.Rank() == 0 {
		return key, false
	}
	s := &Entry{
		Key: key, Delivery: saved.Delivery, told: saved.Told, newest: saved.Newest, until: now.Add(saved.Throttle), throttle: saved.Throttle,
		Severity: saved.Severity, count: saved.Count, since: saved.Since, Through: Positions{topic: saved.Topic},
		Opened: saved.Opened, Episode: saved.Episode,
	}
	for _, last := range saved.Through {
		s.Through.pass(Place{saved.Topic, int32(last[0]), last[1]})
	}
	if here != nil && here.Through.beyond(&s.Through) {
		if !s.Through.beyond(&here.Through) {
			return key, owns(&here.Through)
		}
		s.join(here)
		stale = owns(&here.Through)
	}
	t.Put(s, now)
	return key, stale
}

// join adds what another process knows, which reads another partition: an alert key has
// alerts in two of them for a while where partitions are added.
func (s *Entry) join(other *Entry) {
	if other.told.After(s.told) {
		s.Delivery, s.told, s.throttle, s.Severity = other.Delivery, other.told, other.throttle, other.Severity
		s.Opened, s.Episode = other.Opened, other.Episode
	}
	if other.newest.After(s.newest) {
		s.newest = other.newest
	}
	s.count = max(s.count, other.count)
	if s.since.IsZero() || !other.since.IsZero() && other.since.Before(s.since) {
		s.since = other.since
	}
	for _, last := range other.Through.last {
		s.Through.pass(Place{s.Through.topic, last.partition, last.offset})
	}
}
