package dlq

import (
	"errors"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Follower has a producer follow recreated topics, which kgo does not. It purges such a
// topic from the producer exactly once for each recreation. Twice would lose records:
// the producer's sequence numbers begin at 0 again under the same id, and the broker
// acknowledges records with known numbers as duplicates without writing them.
type Follower struct {
	forget func(topic string)

	mu         sync.Mutex
	times      map[string]int  // that each topic was purged
	forgetting map[string]bool // it is being purged
}

// NewFollower returns a follower of a producer; forget is PurgeTopicsFromProducing of
// the client.
func NewFollower(forget func(topic string)) *Follower {
	return &Follower{forget: forget, times: make(map[string]int), forgetting: make(map[string]bool)}
}

// noTurn is the turn of a record that is produced while its topic is being purged: its
// failure may be about the topic before or after.
const noTurn = -1

// Turn returns the turn of a record that is produced next, for Failed.
func (f *Follower) Turn(topic string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.forgetting[topic] {
		return noTurn
	}
	return f.times[topic]
}

// Failed is called with the error of a record that was produced at a turn, before it is
// produced again. It reports whether the topic was recreated and is followed from now
// on; records that others have buffered for it fail, and they produce them again.
func (f *Follower) Failed(topic string, turn int, err error) bool {
	if !errors.Is(err, kerr.UnknownTopicID) {
		return false
	}
	f.mu.Lock()
	first := f.times[topic] == turn && !f.forgetting[topic]
	if first {
		f.times[topic]++
		f.forgetting[topic] = true
	}
	f.mu.Unlock()
	if first {
		f.forget(topic)
		f.mu.Lock()
		f.forgetting[topic] = false
		f.mu.Unlock()
	}
	return first
}
