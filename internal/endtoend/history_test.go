//go:build synctests

package endtoend

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/algotrade/notifier/internal/simulation/oracle"
)

// history is what happened in one trial, in order: what a person reads when
// the oracle, which hears of it by happenings, finds fault.
type history struct {
	look  func(*step) // sees what is new at the brokers
	mu    sync.Mutex
	begun time.Time
	steps []step
}

// step is one thing that happened. Which fields are set depends on its kind.
type step struct {
	at      time.Duration
	kind    kind
	node    string
	by      int // which life of a process
	channel string
	event   int  // the event's number; -1: none
	replay  bool // an attempt at a dead letter that is sent again
	tries   int  // the attempt, counted from 1 over all nodes
	text    string

	what     oracle.Happening // of attempts, commits that are asked for, and assignments
	metadata string           // of such a commit
	ends     []oracle.Place   // of logs that have grown since the step before
	commits  []commit         // what was committed since
}

// commit is a commit as a group's coordinator keeps it.
type commit struct {
	group, topic string
	partition    int32
	offset       int64
	metadata     string
}

type kind string

const (
	begin     kind = "begin"     // an attempt begins
	taken     kind = "taken"     // the provider has taken the message, and said so
	unsure    kind = "unsure"    // the provider has taken it, and the answer is lost
	failed    kind = "failed"    // it has not
	died      kind = "died"      // the attempt's process died under it
	committed kind = "commit"    // a commit is asked for
	synced    kind = "sync"      // an assignment is asked for
	assigned  kind = "assigned"  // a handler begins
	ended     kind = "end"       // a life of a process is over
	crashed   kind = "crash"     // a process ends: nothing that it does has an effect
	stalled   kind = "stalled"   // a process or its network hangs
	resumed   kind = "resumed"   // and continues
	joins     kind = "join"      // a process starts
	leaves    kind = "leave"     // a process stops, as it should
	moved     kind = "moved"     // partitions were assigned, revoked or lost
	fault     kind = "fault"     // the schedule does something
	deleted   kind = "deleted"   // a topic is deleted, with what is in it
	rewound   kind = "rewound"   // the group's offsets are set back
	truncated kind = "truncated" // a process is told that a log was cut off
	replays   kind = "replays"   // dead letters are asked for
	recovered kind = "recovered" // from now on nothing is disturbed
	garbled   kind = "garbled"   // a message is not what its event was
	complains kind = "complains" // a process ended by itself
)

func (h *history) add(s step) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.at = time.Since(h.begun)
	if s.kind != moved { // that is reported with locks held
		h.look(&s)
	}
	h.steps = append(h.steps, s)
}

func (h *history) note(k kind, node, format string, args ...any) {
	h.add(step{kind: k, node: node, event: -1, text: fmt.Sprintf(format, args...)})
}

// list returns what happened so far.
func (h *history) list() []step {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.steps[:len(h.steps):len(h.steps)]
}

func (h *history) print(w io.Writer) {
	for _, s := range h.list() {
		_, _ = fmt.Fprintln(w, s)
	}
}

// String is one line.
func (s step) String() string {
	line := fmt.Sprintf("%10s %-9s %-4s", s.at.Round(time.Microsecond), s.kind, s.node)
	if s.event >= 0 {
		line += fmt.Sprintf(" %s #%d", s.channel, s.event)
		if s.tries > 0 {
			line += fmt.Sprintf(" try %d", s.tries)
		}
		if s.replay {
			line += " (replay)"
		}
	}
	if s.what.Place.Topic != "" {
		line += " " + s.what.Place.String()
	}
	if len(s.metadata) > 0 {
		line += fmt.Sprintf(" (+%d) %s", len(s.metadata), s.metadata)
	}
	if s.text != "" {
		line += " " + s.text
	}
	return line
}
