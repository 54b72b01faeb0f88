package dlq

import (
	"errors"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Follower has a producer follow recreated topics, which it refuses to on its
// own.
//
// It makes the producer forget such a topic exactly once for each recreation.
// Once more would lose records: the producer counts from 0 again
// under the same id, and the broker, which knows those numbers from this
// instance of the topic, acknowledges what it takes for a duplicate and does
// not write it.
type Follower struct {
	forget func(topic string)

	mu         sync.Mutex
	times      map[string]int  // that each topic was forgotten
	forgetting map[string]bool // it is being forgotten right now
}

// NewFollower returns a follower for a producer; forget is the client's
// PurgeTopicsFromProducing.
func NewFollower(forget func(topic string)) *Follower {
	return &Follower{forget: forget, times: make(map[string]int), forgetting: make(map[string]bool)}
}

// noTurn is the turn of a record that is produced while its topic is being
// forgotten: whether its failure speaks of the topic before or after is not
// known.
const noTurn = -1

// Turn is to be asked before a record is produced, for Failed.
func (f *Follower) Turn(topic string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.forgetting[topic] {
		return noTurn
	}
	return f.times[topic]
}

// Failed is to be told why a record was not written that was produced at that
// turn, before it is produced again. It reports whether the topic was
// recreated and is followed from now on; what others have buffered for it
// fails, and is produced again by them.
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
