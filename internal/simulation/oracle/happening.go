// Package oracle judges what a notifier did. A history is a plain list of
// happenings, as a broker and a provider could have seen them; Check returns
// every promise that it breaks. Neither knows how the notifier works inside:
// the simulation without goroutines and the one of the whole daemon on brokers
// in memory have the same judge.
//
// The promises: every alert is delivered, a dead letter, suppressed by policy,
// or unsettled, and what is unsettled is not committed past. Per lane the next
// delivery is first tried after the one before has its outcome. Commits never
// go backwards, come from the present owner, and claim nothing that is not done
// when that asks for them, whether they take effect or not. A dead letter is,
// byte for byte, the record it is about, there is one for each id, and we close
// it only when it was delivered. An alert is sent twice only where a crash, a
// lost partition or an unclear answer made it unavoidable, and a crash leaves
// no more of that than is allowed. What is moved to another channel is
// delivered by that one alone.
//
// Actions of brokers and operators allow exceptions. A commit that is carried out
// after a later one of its owner may set the group back, and what only the later one
// said may be sent again. If a client was told that a log was truncated, its owner
// may commit down to that end, and what is above may be sent again. Where a commit
// cannot carry dedup state, deliveries may be sent again. What was in a deleted topic
// may be lost. A process that lost a partition and does not know it may cause as many
// duplicates as a crash.
// Start reading at Judge.
package oracle

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Kind is what kind of thing happened.
type Kind string

// The kinds, and which fields of a Happening they use besides At.
const (
	Produced  Kind = "produced"  // an event at Place: Digest
	Matched   Kind = "matched"   // By has processed the event at Place: IDs must be in outboxes, Entry among the dead letters
	Queued    Kind = "queued"    // By's outbox record was appended at Place: ID, Lane, From, Policy; Entry and Version where it is a replay. From an outbox: it was moved
	Entered   Kind = "entered"   // By's dead letter was appended at Place: ID, From, Digest, Result
	Closed    Kind = "closed"    // By's tombstone of dead letter ID was appended at Place
	Requested Kind = "requested" // a request to send Version of Entry again was appended at Place
	Assigned  Kind = "assigned"  // By owns Place's partition of Group from Place's offset on
	Left      Kind = "left"      // By no longer owns it: crashed, revoked or lost
	Started   Kind = "started"   // By began an attempt for the outbox record ID at Place
	Answered  Kind = "answered"  // and that is how it ended: Result
	Claimed   Kind = "claimed"   // By asked for a commit of Place: Above
	Committed Kind = "committed" // By's commit of Place took effect: Above, Bare
	Cut       Kind = "cut"       // the brokers told By that the log ends at Place, before what it has read
	Reset     Kind = "reset"     // an operator set Group's committed offset to Place
	Recreated Kind = "recreated" // Place's topic was deleted and created again: Place's Instance is the new one
)

// Result is how an attempt ended, or why there is a dead letter.
type Result string

// The results of attempts.
const (
	Delivered Result = "delivered" // the provider took it
	Partly    Result = "partly"    // it took it for some of the recipients, and never will for the others
	Deferred  Result = "deferred"  // it took it for some of the recipients, and not now for the others
	Unclear   Result = "unclear"   // it may have taken it
	Refused   Result = "refused"   // it will never take it
	Failed    Result = "failed"    // not now
)

// The reasons of dead letters that need more than an attempt that was Refused
// or Partly.
const (
	Exhausted   Result = "exhausted"   // tried often enough, while others were delivered
	Unconfirmed Result = "unconfirmed" // the last attempt was Unclear, and that is the policy
	Unmatched   Result = "unmatched"   // its rules never ran, or it no longer has a channel
)

// Place is an offset of a partition. A topic that was deleted and created again is
// another Instance, counted from 0. The offsets of dead letters are counted
// on through all instances, since a version is only ever compared with others
// of its entry.
type Place struct {
	Topic     string
	Partition int32
	Offset    int64
	Instance  int
}

func (p Place) String() string { return fmt.Sprintf("%s@%d", p.partition(), p.Offset) }

type partition struct {
	topic    string
	id       int32
	instance int
}

func (p Place) partition() partition { return partition{p.Topic, p.Partition, p.Instance} }

func (p partition) String() string {
	if p.instance > 0 {
		return fmt.Sprintf("%s#%d/%d", p.topic, p.instance, p.id)
	}
	return fmt.Sprintf("%s/%d", p.topic, p.id)
}

// Span is the offsets from First to Last.
type Span struct{ First, Last int64 }

// Policy is what an alert says about being suppressed.
type Policy struct {
	Throttle time.Duration
	Key      string // alerts of one key are throttled together
	Expire   time.Duration
	Event    time.Duration // when the event happened, on the same clock as At
}

// Happening is one thing that happened.
type Happening struct {
	Kind
	At      time.Duration // since the beginning
	By      int           // which incarnation of a process; 0: an operator
	Group   string
	Place   Place
	ID      string // a delivery's: its dedup id
	IDs     []string
	Entry   string
	Version int64
	Lane    string // of a Queued record: its key; "": null, a lane of its own
	From    Place  // what the record was made of
	Digest  string
	Result  Result
	Above   []Span // offsets above the committed one that the commit says are settled
	Bare    bool   // the commit carries no dedup state
	Policy  Policy
}

// String is one line, with the fields that are set.
func (h Happening) String() string {
	s := fmt.Sprintf("%12s %-9s", h.At, h.Kind)
	if h.By != 0 {
		s += fmt.Sprintf(" by=%d", h.By)
	}
	if h.Place.Topic != "" {
		s += " " + h.Place.String()
	}
	field := func(name, value string) {
		if value != "" {
			s += " " + name + "=" + value
		}
	}
	field("id", h.ID)
	if len(h.IDs) > 0 {
		field("ids", fmt.Sprint(h.IDs))
	}
	field("entry", h.Entry)
	if h.Version != 0 || h.Kind == Requested {
		field("version", fmt.Sprint(h.Version))
	}
	if h.Kind == Queued {
		field("lane", fmt.Sprintf("%q", h.Lane))
	}
	if h.From.Topic != "" {
		field("from", h.From.String())
	}
	field("digest", h.Digest)
	field("result", string(h.Result))
	if len(h.Above) > 0 {
		field("above", fmt.Sprint(h.Above))
	}
	if h.Bare {
		field("bare", "true")
	}
	return s
}

// Digest is a fingerprint of a record's bytes: key, value and headers, null
// and empty kept apart.
func Digest(key, value []byte, headers []kgo.RecordHeader) string {
	h := sha256.New()
	put := func(b []byte, null bool) {
		n := int64(len(b))
		if null {
			n = -1
		}
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(n))
		h.Write(size[:])
		h.Write(b)
	}
	put(key, key == nil)
	put(value, value == nil)
	for _, f := range headers {
		put([]byte(f.Key), false)
		put(f.Value, f.Value == nil)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
