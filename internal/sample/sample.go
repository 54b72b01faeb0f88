// Package sample tells the market story that `notifier dev` plays: a trading
// day in which things go wrong one after another, so that every default rule
// fires within the first minute and the terminal is worth watching from then
// on. It is scripted and seeded, not noise: the same seed, start and rate give
// the same bytes.
//
// A Story is two streams merged by time: the calm (calm.go), ordinary business
// that fills the rate and alerts nobody, and the script (script.go), scenes
// that do. The rate changes the calm only. Start reading at NewStory and Next;
// Play gives a story its real-time pace.
package sample

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/algotrade/notifier/internal/topics"
)

// DefaultRate is how many events a second `dev` plays when nobody asks for
// another rate: a lively desk on which a single line can still be followed.
const DefaultRate = 40

// Record is one record of a story.
type Record struct {
	At    time.Duration // since the story began
	Topic topics.Name
	Key   string // the session, as the platform's producers key their records
	Value []byte
}

// Story yields records without end, in the order of their times.
// It is not safe for concurrent use.
type Story struct {
	start   time.Time // wall clock: a machine that slept must not count as time told
	perSec  float64   // records of the calm a second, on average
	opening func(*Story)

	pending queue
	seq     int

	act    int           // the next act to write
	nextAt time.Duration // when the calm has its next turn

	script *rand.Rand // what the scenes vary
	calm   *rand.Rand
	ids    *rand.Rand

	scriptOrders, calmOrders int // the last order number of each
	scriptTests              int // the last forward test of the script
	scriptAccounts           int // accounts that had their turn in the script
}

// NewStory returns the story that seed tells, beginning at start, with about
// rate events a second; DefaultRate when rate is not positive. The scenes need
// one event a second for themselves, so much less than that cannot be had.
func NewStory(seed uint64, start time.Time, rate float64) *Story {
	return newStory(seed, start, rate, (*Story).firstMinute)
}

// NewStorm returns a story that begins with a halted venue: thousands of
// rejected orders within seconds. From the second minute on it is a Story.
func NewStorm(seed uint64, start time.Time, rate float64) *Story {
	return newStory(seed, start, rate, (*Story).storm)
}

func newStory(seed uint64, start time.Time, rate float64, opening func(*Story)) *Story {
	if !(rate > 0) {
		rate = DefaultRate
	}
	return &Story{
		start:        start.Round(0),
		perSec:       max(rate-scenesPerSecond, rate/10),
		opening:      opening,
		script:       rand.New(rand.NewPCG(seed, 1)),
		calm:         rand.New(rand.NewPCG(seed, 2)),
		ids:          rand.New(rand.NewPCG(seed, 3)),
		scriptOrders: 88_212, // the first one rejected is ord-88213
		calmOrders:   100_000,
		scriptTests:  2_299,
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
		panic(fmt.Sprintf("sample: marshal %T: %v", p.event, err)) // our own structs
	}
	if p.spoil != nil {
		value = p.spoil(value)
	}
	return Record{At: p.at, Topic: p.topic, Key: p.event.session(), Value: value}
}

// advance writes acts and lets the calm speak until what is pending first is
// what happens next.
func (s *Story) advance() {
	for {
		until := s.nextAt
		if act := time.Duration(s.act) * time.Minute; act <= until {
			s.writeAct()
			continue
		}
		if len(s.pending) > 0 && s.pending[0].at < until {
			return
		}
		n := s.speak(until)
		s.nextAt += time.Duration(float64(n) / (s.perSec * bell(until)) * (0.5 + s.calm.Float64()) * float64(time.Second))
	}
}

// add puts an event on its way. spoil, where it is not nil, changes its bytes.
func (s *Story) add(at time.Duration, topic topics.Name, e event, spoil func([]byte) []byte) {
	s.seq++
	heap.Push(&s.pending, pending{at: at, seq: s.seq, topic: topic, event: e, spoil: spoil})
}

// move changes when the story began: what comes from now on happens this much later.
func (s *Story) move(by time.Duration) { s.start = s.start.Add(by) }

// due returns when the next record happens.
func (s *Story) due() time.Time {
	s.advance()
	return s.start.Add(s.pending[0].at)
}

// pending is a record whose time has not come. It gets its id and its times
// when it does.
type pending struct {
	at    time.Duration
	seq   int // keeps the order of what happens at the same time
	topic topics.Name
	event event
	spoil func([]byte) []byte
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

// eventID returns a ULID (github.com/ulid/spec): 48 bits of milliseconds and
// 80 random ones, here from the seed.
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
