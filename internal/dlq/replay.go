package dlq

import (
	"fmt"

	"github.com/algotrade/notifier/internal/outcome"
)

// Replay is what a person asks of every entry that is sent again. Choosing is
// somebody else's: a Plan is made of the entries that are meant, and a Runner
// carries it out.
//
// Nothing is locked and nothing is remembered: all that a replay writes is
// requests, and what waits is seen from them. A command that was killed
// half-way leaves requests behind, and run again it leaves out what waits. Two
// commands at once may both ask for an entry; the daemon drops the request
// that it reads second, because the entry then has a later record or stands
// behind an unsettled request of the same id.
type Replay struct {
	To        string // the channel it goes to; "": its own
	Rematch   bool   // through the rules again, deliveries too
	Force     bool   // quarantined ones too
	Ambiguous bool   // those too that may have been delivered
	// Edited replaces the value of the one entry that is sent; nil: it is as it
	// came. A delivery then goes through the rules again: its alert was raised
	// on the value as it came.
	Edited  []byte
	By      string
	Comment string
	Run     string // see NewRun
}

// Left says why an entry that is meant is not sent.
type Left string

// Why entries are left out, in the order in which it is looked at.
const (
	LeftClosed      Left = "closed"      // resolved or discarded
	LeftMalformed   Left = "malformed"   // not in the format, or with a checksum that does not match
	LeftWaiting     Left = "waiting"     // it was asked for and the daemon has not settled that
	LeftQuarantined Left = "quarantined" // it takes Force
	LeftPointer     Left = "pointer"     // its value was too large to be kept; it takes Edited
	LeftAmbiguous   Left = "ambiguous"   // it takes Ambiguous
)

// Lefts returns all of them, in the order above.
func Lefts() []Left {
	return []Left{LeftClosed, LeftMalformed, LeftWaiting, LeftQuarantined, LeftPointer, LeftAmbiguous}
}

// leaves returns why an entry is not sent; "": it is.
func (r *Replay) leaves(e *Entry) Left {
	switch {
	case e.State == Resolved || e.State == Discarded:
		return LeftClosed
	case e.State == Malformed || e.Envelope.DecodeAlert() != nil || e.delivery() && e.Envelope.Delivery != e.ID:
		return LeftMalformed
	case e.State == Waiting:
		return LeftWaiting
	case e.State == Quarantined && !r.Force:
		return LeftQuarantined
	case e.Pointer && r.Edited == nil:
		return LeftPointer
	case e.Reason == outcome.Unconfirmed && !r.Ambiguous:
		return LeftAmbiguous
	}
	return ""
}

// delivery reports whether the entry is a delivery, and not a record that
// failed before its rules ran.
func (e *Entry) delivery() bool { return e.Envelope.Delivery != "" }

// route returns where an entry goes, apart from its place in the source.
func (r *Replay) route(e *Entry) route {
	// The topic is the one that it stands among the dead letters of, which is
	// the source's, and which a forged header cannot change.
	to := route{lane: lane{topic: e.sourceTopic(), partition: e.Envelope.Source.Partition, channel: e.Envelope.Channel}}
	to.rules = !e.delivery()
	to.rematch = e.delivery() && (r.Rematch || r.Edited != nil)
	if r.To != "" && r.To != to.channel {
		to.channel, to.to = r.To, true
	}
	return to
}

// lane is within what entries are sent in the order of their source: one
// channel and one source partition.
type lane struct {
	channel   string // "": the rules say
	topic     string
	partition int32
}

// route is what the requests of many entries have in common.
type route struct {
	lane
	to      bool // the channel is not the entry's own
	rematch bool
	rules   bool // no rule has seen it
}

// Sentence says why n entries are left out, and what can be done about it.
func (l Left) Sentence(n int) string {
	one := func(singular, plural string) string {
		if n == 1 {
			return "1 " + singular
		}
		return fmt.Sprintf("%d %s", n, plural)
	}
	switch l {
	case LeftClosed:
		return one("is closed already", "are closed already")
	case LeftMalformed:
		return one("is malformed: it cannot be sent, only discarded", "are malformed: they cannot be sent, only discarded")
	case LeftWaiting:
		return one("waits already: it was asked for before", "wait already: they were asked for before")
	case LeftQuarantined:
		return one("is quarantined: it failed too often, --force sends it all the same", "are quarantined: they failed too often, --force sends them all the same")
	case LeftPointer:
		return one("has lost its value, which was too large to be kept: give it with --payload", "have lost their values, which were too large to be kept: give each with --payload")
	case LeftAmbiguous:
		return one("may have been delivered: --include-ambiguous sends it all the same", "may have been delivered: --include-ambiguous sends them all the same")
	}
	return one("is left out", "are left out")
}
