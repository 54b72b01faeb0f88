// Package sample generates the events that `notifier dev` plays: a trading day on
// which every default rule matches within the first minute. The same seed, start and
// rate give the same bytes.
//
// A Story merges two streams by time: background events (background.go), which fill
// the rate and raise no alert, and scenes (script.go), which do. The rate changes
// only the background. Start reading at NewStory and Next; Play runs a story in real
// time.
package sample

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/algotrade/notifier/internal/topics"
)

// DefaultRate is the default rate of `dev` in events per second.
const DefaultRate = 40

// Record is one record of a story.
type Record struct {
	At    time.Duration // since the start of the story
	Topic topics.Name
	Key   string // session id, as on the platform
	Value []byte
}

// Story generates records in the order of their times, without end. It is not safe
// for concurrent use.
type Story struct {
	start          time.Time // without monotonic clock, which stops while the machine sleeps
	backgroundRate float64   // average background events per second
	opening        func(*Story)

	pending queue
	seq     int

	minutes int           // minutes written so far
	nextAt  time.Duration // time of the next background transaction

	script     *rand.Rand // for scenes
	background *rand.Rand // for background events
	ids        *rand.Rand

	scriptOrders, backgroundOrders int // last order numbers
	scriptTests                    int // last forward test of a scene
	scriptAccounts                 int // accounts used by scenes
}

// NewStory returns a story with about rate events per second; DefaultRate if rate is
// not positive. The scenes alone take about one event per second.
func NewStory(seed uint64, start time.Time, rate float64) *Story {
	return newStory(seed, start, rate, (*Story).firstMinute)
}

// NewStorm returns a story whose first minute is a halted venue: thousands of rejected
// orders within seconds.
func NewStorm(seed uint64, start time.Time, rate float64) *Story {
	return newStory(seed, start, rate, (*Story).storm)
}

func newStory(seed uint64, start time.Time, rate float64, opening func(*Story)) *Story {
	if !(rate > 0) {
		rate = DefaultRate
	}
	return &Story{
		start:            start.Round(0),
		backgroundRate:   max(rate-scenesPerSecond, rate/10),
		opening:          opening,
		script:           rand.New(rand.NewPCG(seed, 1)),
		background:       rand.New(rand.NewPCG(seed, 2)),
		ids:              rand.New(rand.NewPCG(seed, 3)),
		scriptOrders:     88_212, // the first one rejected is ord-88213
		backgroundOrders: 100_000,
		scriptTests:      2_299,
	}
}

// Next returns the next record.
func (s *Story) Next() Record {
	s.advance()
	p := heap.Pop(&s.pending).(pending)
	at := s.start.Add(p.at).UTC()
	p.event.stamp(s.eventID(at), at)
	value, err := json.Marshal(p.event)
	if err != nil {
		panic(fmt.Sprintf("sample: marshal %T: %v", p.event, err)) // cannot happen
	}
	if p.corrupt != nil {
		value = p.corrupt(value)
	}
	return Record{At: p.at, Topic: p.topic, Key: p.event.session(), Value: value}
}

// advance generates events until the first pending one is the next in time.
func (s *Story) advance() {
	for {
		until := s.nextAt
		if next := time.Duration(s.minutes) * time.Minute; next <= until {
			s.writeMinute()
			continue
		}
		if len(s.pending) > 0 && s.pending[0].at < until {
			return
		}
		n := s.addBackground(until)
		s.nextAt += time.Duration(float64(n) / (s.backgroundRate * activity(until)) * (0.5 + s.background.Float64()) * float64(time.Second))
	}
}

// add adds an event. corrupt changes its bytes; nil: unchanged.
func (s *Story) add(at time.Duration, topic topics.Name, e event, corrupt func([]byte) []byte) {
	s.seq++
	heap.Push(&s.pending, pending{at: at, seq: s.seq, topic: topic, event: e, corrupt: corrupt})
}

// shift delays the remaining records.
func (s *Story) shift(by time.Duration) { s.start = s.start.Add(by) }

// due returns the time of the next record.
func (s *Story) due() time.Time {
	s.advance()
	return s.start.Add(s.pending[0].at)
}

// pending is a record whose id and times are not set yet.
type pending struct {
	at      time.Duration
	seq     int // order of records at the same time
	topic   topics.Name
	event   event
	corrupt func([]byte) []byte
}

type queue []pending

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(pending)) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}

func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = pending{}
	*q = old[:len(old)-1]
	return last
}

const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// eventID returns a ULID (github.com/ulid/spec): 48 bits of milliseconds and 80 bits
// from the seed.
func (s *Story) eventID(at time.Time) string { return ulid(at, s.ids.Uint64(), s.ids.Uint64()) }

func ulid(at time.Time, high, low uint64) string {
	var id [26]byte
	ms := uint64(at.UnixMilli())
	for i := 9; i >= 0; i-- {
		id[i] = crockford[ms&31]
		ms >>= 5
	}
	for i := range 8 {
		id[10+i] = crockford[high>>(5*i)&31]
		id[18+i] = crockford[low>>(5*i)&31]
	}
	return string(id[:])
}
