package dispatch

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
	Episode  *episode       `json:"episode,omitempty"`
	By       string         `json:"by"` // which dispatcher
}

// record returns what the state topic is to say of a key: a tombstone where it is forgotten.
func (t *throttles) record(key throttleKey, channel string) state.Record {
	r := state.Record{Kind: state.Throttle, Channel: channel, Key: hex.EncodeToString(key[:])}
	e := t.byKey[key]
	if e == nil {
		return r
	}
	s := e.Value.(*throttled)
	saved := savedThrottle{
		Delivery: s.delivery, Told: s.told.UTC(), Newest: s.newest.UTC(), Throttle: s.throttle, Severity: s.severity, Count: s.count, Topic: s.through.topic, By: t.by,
		Opened: s.opened, Episode: s.episode,
	}
	if s.count > 0 {
		saved.Since = s.since.UTC()
	}
	for _, last := range s.through.last {
		saved.Through = append(saved.Through, [2]int64{int64(last.partition), last.offset})
	}
	r.Value, _ = json.Marshal(saved) // of texts, numbers and times of four-digit years
	return r
}

// learn takes in a record of the state topic and returns its key. stale: what is known here
// of a partition that owns reports to be read by this process is newer, so the record is not
// the last word. Of a record that this process has written, or cannot read, nothing is learned.
func (t *throttles) learn(r state.Record, owns func(*positions) bool, now time.Time) (key throttleKey, stale bool) {
	if n, err := hex.Decode(key[:], []byte(r.Key)); r.Kind != state.Throttle || len(r.Key) != 2*len(key) || n != len(key) || err != nil {
		return key, false
	}
	var here *throttled
	if e := t.byKey[key]; e != nil {
		here = e.Value.(*throttled)
	}
	if r.Value == nil {
		if here == nil {
			return key, false
		}
		if !owns(&here.through) {
			t.forget(t.byKey[key])
			return key, false
		}
		return key, true
	}
	var saved savedThrottle
	if json.Unmarshal(r.Value, &saved) != nil || saved.By == t.by || saved.Throttle < 0 || saved.Count < 0 || saved.Severity.Rank() == 0 {
		return key, false
	}
	s := &throttled{
		key: key, delivery: saved.Delivery, told: saved.Told, newest: saved.Newest, until: now.Add(saved.Throttle), throttle: saved.Throttle,
		severity: saved.Severity, count: saved.Count, since: saved.Since, through: positions{topic: saved.Topic},
		opened: saved.Opened, episode: saved.Episode,
	}
	for _, last := range saved.Through {
		s.through.pass(place{saved.Topic, int32(last[0]), last[1]})
	}
	if here != nil && here.through.beyond(&s.through) {
		if !s.through.beyond(&here.through) {
			return key, owns(&here.through)
		}
		s.join(here)
		stale = owns(&here.through)
	}
	t.put(s, now)
	return key, stale
}

// join adds what another process knows, which reads another partition: an alert key has
// alerts in two of them for a while where partitions are added.
func (s *throttled) join(other *throttled) {
	if other.told.After(s.told) {
		s.delivery, s.told, s.throttle, s.severity = other.delivery, other.told, other.throttle, other.severity
		s.opened, s.episode = other.opened, other.episode
	}
	if other.newest.After(s.newest) {
		s.newest = other.newest
	}
	s.count, s.since = max(s.count, other.count), earlier(s.since, other.since)
	for _, last := range other.through.last {
		s.through.pass(place{s.through.topic, last.partition, last.offset})
	}
}
