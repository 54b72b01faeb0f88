package envelope

import (
	"strconv"
	"time"
)

// Replay describes the dead letter that a record replays, or the alert that it sends
// again, and the request.
type Replay struct {
	// Entry is the dead letter's id, or that of the alert (see Resent). It differs from the envelope's Delivery if the
	// rules had not run on the entry.
	Entry       string
	Version     int64 // offset of the entry in the dead-letter topic, or of the request
	Number      int   // of the entry's replays, from 1
	By, Comment string
	FirstFailed time.Time
	Delivered   []string // recipients that have the message already
	Edited      []byte   // replaces the source's value for the rules; nil: not edited
	EditedBy    string
}

// Resolves reports whether the outcome of the delivery resolves the dead letter.
func (e *Envelope) Resolves() bool { return e.Replay != nil && e.Replay.Entry == e.Delivery }

// Resent reports whether a person had an alert sent again that was settled.
func (e *Envelope) Resent() bool {
	return e.Replay != nil && e.Alert != nil && e.Replay.Entry == e.Alert.ID
}

// Event returns the value that the rules were evaluated on.
func (e *Envelope) Event() []byte {
	if e.Replay != nil && e.Replay.Edited != nil {
		return e.Replay.Edited
	}
	return e.Source.Value
}

// DedupID returns the id by which dedup recognises duplicates: the delivery's id,
// for a replay with the version of its entry.
func (e *Envelope) DedupID() string {
	if e.Replay == nil || e.Delivery == "" {
		return e.Delivery
	}
	return e.Delivery + "@" + strconv.FormatInt(e.Replay.Version, 10)
}
