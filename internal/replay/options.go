package replay

import (
	"fmt"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/outcome"
)

// Options apply to every entry of a replay. A Plan is made of the selected entries, and
// a Runner carries it out.
//
// There are no locks: a run writes only requests, and the waiting entries follow from
// them. If a command was killed, the next one leaves out the waiting entries. Of two
// requests for one version the daemon drops the second.
type Options struct {
	To        string // the channel; "": the entry's own
	Rematch   bool   // send deliveries through the rules again
	Force     bool   // include quarantined entries
	Ambiguous bool   // include entries that may have been delivered
	// Edited replaces the value of the only entry; nil: it does not. A delivery then goes
	// through the rules again, since its alert was raised on the original value.
	Edited  []byte
	By      string
	Comment string
	Run     string // see NewRun
}

// Left is why a selected entry is not sent.
type Left string

// The reasons, in the order of the checks.
const (
	LeftClosed      Left = "closed"      // resolved or discarded
	LeftMalformed   Left = "malformed"   // not in the format, or with a checksum that does not match
	LeftWaiting     Left = "waiting"     // it has an unsettled request
	LeftQuarantined Left = "quarantined" // needs Force
	LeftPointer     Left = "pointer"     // it stands for a batch that was too large to be read; needs Edited
	LeftAmbiguous   Left = "ambiguous"   // needs Ambiguous
)

// Lefts returns all reasons, in the order above.
func Lefts() []Left {
	return []Left{LeftClosed, LeftMalformed, LeftWaiting, LeftQuarantined, LeftPointer, LeftAmbiguous}
}

// left returns why an entry is not sent; "": it is.
func (o *Options) left(e *dlq.Entry) Left {
	switch {
	case e.State == dlq.Resolved || e.State == dlq.Discarded:
		return LeftClosed
	case e.State == dlq.Malformed || e.Envelope.DecodeAlert() != nil || isDelivery(e) && e.Envelope.Delivery != e.ID:
		return LeftMalformed
	case e.State == dlq.Waiting:
		return LeftWaiting
	case e.State == dlq.Quarantined && !o.Force:
		return LeftQuarantined
	case e.Pointer && !e.AtSource() && o.Edited == nil:
		return LeftPointer
	case e.Reason == outcome.Unconfirmed && !o.Ambiguous:
		return LeftAmbiguous
	}
	return ""
}

// isDelivery reports whether the entry is a delivery, not a record that failed before
// its rules ran.
func isDelivery(e *dlq.Entry) bool { return e.Envelope.Delivery != "" }

// route returns the route of an entry.
func (o *Options) route(e *dlq.Entry) route {
	to := route{lane: lane{topic: e.SourceTopic(), partition: e.Envelope.Source.Partition, channel: e.Envelope.Channel}}
	to.rules = !isDelivery(e)
	to.rematch = isDelivery(e) && (o.Rematch || o.Edited != nil)
	if o.To != "" && o.To != to.channel {
		to.channel, to.to = o.To, true
	}
	return to
}

// lane is one channel and source partition: its entries are sent in the order of their
// source offsets.
type lane struct {
	channel   string // "": the rules decide
	topic     string
	partition int32
}

// route is what the requests of many entries have in common.
type route struct {
	lane
	to      bool // the channel is not the entry's own
	rematch bool
	rules   bool // it failed before its rules ran
}

// sentences say why one entry, or several, are left out, and the remedy.
var sentences = map[Left][2]string{
	LeftClosed:      {"is closed already", "are closed already"},
	LeftMalformed:   {"is malformed: it cannot be sent, only discarded", "are malformed: they cannot be sent, only discarded"},
	LeftWaiting:     {"waits already: a request for it is not settled", "wait already: requests for them are not settled"},
	LeftQuarantined: {"is quarantined: it failed too often, --force sends it anyway", "are quarantined: they failed too often, --force sends them anyway"},
	LeftPointer:     {"stands for a batch that is too large to be read: give a value with --payload", "stand for batches that are too large to be read: give each a value with --payload"},
	LeftAmbiguous:   {"may have been delivered: --include-ambiguous sends it anyway", "may have been delivered: --include-ambiguous sends them anyway"},
}

// Sentence says why n entries are left out, and the remedy.
func (l Left) Sentence(n int) string {
	if n == 1 {
		return "1 " + sentences[l][0]
	}
	return fmt.Sprintf("%d %s", n, sentences[l][1])
}
