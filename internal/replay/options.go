package replay

import (
	"fmt"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/outcome"
)

// Options are what a person asks of every entry that is replayed. A Plan is
// made of the entries that are meant, and a Runner carries it out.
//
// Nothing is locked and nothing is remembered: a run writes only requests, and
// which entries wait follows from them. A command that was killed half-way
// leaves requests behind, and run again it leaves out what waits. Of two
// requests for one version the daemon drops the second.
type Options struct {
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
	LeftWaiting     Left = "waiting"     // it has an unsettled request
	LeftQuarantined Left = "quarantined" // it takes Force
	LeftPointer     Left = "pointer"     // its value was too large to be kept; it takes Edited
	LeftAmbiguous   Left = "ambiguous"   // it takes Ambiguous
)

// Lefts returns all of them, in the order above.
func Lefts() []Left {
	return []Left{LeftClosed, LeftMalformed, LeftWaiting, LeftQuarantined, LeftPointer, LeftAmbiguous}
}

// leaves returns why an entry is not sent; "": it is.
func (o *Options) leaves(e *dlq.Entry) Left {
	switch {
	case e.State == dlq.Resolved || e.State == dlq.Discarded:
		return LeftClosed
	case e.State == dlq.Malformed || e.Envelope.DecodeAlert() != nil || isDelivery(e) && e.Envelope.Delivery != e.ID:
		return LeftMalformed
	case e.State == dlq.Waiting:
		return LeftWaiting
	case e.State == dlq.Quarantined && !o.Force:
		return LeftQuarantined
	case e.Pointer && o.Edited == nil:
		return LeftPointer
	case e.Reason == outcome.Unconfirmed && !o.Ambiguous:
		return LeftAmbiguous
	}
	return ""
}

// isDelivery reports whether the entry is a delivery, and not a record that
// failed before its rules ran.
func isDelivery(e *dlq.Entry) bool { return e.Envelope.Delivery != "" }

// route returns where an entry goes, apart from its place in the source.
func (o *Options) route(e *dlq.Entry) route {
	to := route{lane: lane{topic: e.SourceTopic(), partition: e.Envelope.Source.Partition, channel: e.Envelope.Channel}}
	to.rules = !isDelivery(e)
	to.rematch = isDelivery(e) && (o.Rematch || o.Edited != nil)
	if o.To != "" && o.To != to.channel {
		to.channel, to.to = o.To, true
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

// sentences say why one entry, or several, are left out, and what can be done
// about it.
var sentences = map[Left][2]string{
	LeftClosed:      {"is closed already", "are closed already"},
	LeftMalformed:   {"is malformed: it cannot be sent, only discarded", "are malformed: they cannot be sent, only discarded"},
	LeftWaiting:     {"waits already: it was asked for before", "wait already: they were asked for before"},
	LeftQuarantined: {"is quarantined: it failed too often, --force sends it all the same", "are quarantined: they failed too often, --force sends them all the same"},
	LeftPointer:     {"has lost its value, which was too large to be kept: give it with --payload", "have lost their values, which were too large to be kept: give each with --payload"},
	LeftAmbiguous:   {"may have been delivered: --include-ambiguous sends it all the same", "may have been delivered: --include-ambiguous sends them all the same"},
}

// Sentence says why n entries are left out, and what can be done about it.
func (l Left) Sentence(n int) string {
	if n == 1 {
		return "1 " + sentences[l][0]
	}
	return fmt.Sprintf("%d %s", n, sentences[l][1])
}
