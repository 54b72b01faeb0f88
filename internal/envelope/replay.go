package envelope

import (
	"strconv"
	"time"
)

// Replay says which dead letter a record comes from, and who asked for it.
type Replay struct {
	// Entry is the dead letter's id, Version the offset at which it stands in
	// its topic. An entry whose rules had not run yet becomes deliveries with
	// ids of their own; then Entry is another than the envelope's Delivery.
	Entry   string
	Version int64
	// Number counts the entry's replays; this is the first, the second, …
	Number      int
	By, Comment string
	FirstFailed time.Time
	Recipients  []string // who is left of a message that others have got; nil: all
	// Edited is what the rules were given instead of the source's value, by
	// EditedBy; nil: nothing was edited.
	Edited   []byte
	EditedBy string
}

// Resolves reports whether the delivery's outcome is the dead letter's.
func (e *Envelope) Resolves() bool { return e.Replay != nil && e.Replay.Entry == e.Delivery }

// Event returns the document that the alert was raised on: the source's value,
// or what it was edited to.
func (e *Envelope) Event() []byte {
	if e.Replay != nil && e.Replay.Edited != nil {
		return e.Replay.Edited
	}
	return e.Source.Value
}

// RepeatID is what the repeat filter knows a record by: the delivery's id, and
// for a replay which version of its entry it is, since each is sent once.
func (e *Envelope) RepeatID() string {
	if e.Replay == nil || e.Delivery == "" {
		return e.Delivery
	}
	return e.Delivery + "@" + strconv.FormatInt(e.Replay.Version, 10)
}
