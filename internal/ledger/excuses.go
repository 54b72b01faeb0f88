package ledger

import "slices"

// Why a delivery may be missing, out of order or doubled, or have a dead letter
// that it should not need. Each function excuses what its comment says and no
// more.

// excusedLoss reports whether a delivery without an outcome of its own is no loss.
func excusedLoss(d *Delivery) bool { return goneWithOutbox(d) || movedAway(d) }

// excusedOrder reports whether a later one of its lane may be tried first.
func excusedOrder(d *Delivery) bool { return deadLettered(d) || goneWithOutbox(d) || movedAway(d) }

// goneWithOutbox: it was in an outbox that someone deleted.
func goneWithOutbox(d *Delivery) bool { return d.Gone }

// movedAway: it was moved to another channel, and has its outcome there.
func movedAway(d *Delivery) bool { return d.MovedTo != nil && d.MovedTo.settled() }

// deadLettered: its outcome is a dead letter, which the next in its lane does
// not wait behind; sent again, it comes later.
func deadLettered(d *Delivery) bool { return d.dead }

// refusedByProvider: a dead letter of what its provider refuses is right.
func refusedByProvider(d *Delivery) bool { return d.Refused }

// reasonAllowed: the run has made attempts fail often enough for this reason.
func reasonAllowed(letter Letter, t Terms) bool { return slices.Contains(t.Reasons, letter.Reason) }

// superfluous: the run has frozen an owner, which may have written a dead
// letter of what the next owner delivered.
func superfluous(t Terms) bool { return t.Superfluous }

// disturbedBy returns the disturbance that a duplicate belongs to: the first
// one after the attempt that was taken before, since that lost the memory of
// it, and before the second. -1: there is none.
func disturbedBy(r duplicate, all []Disturbance) int {
	return slices.IndexFunc(all, func(d Disturbance) bool { return d.At.Add(d.Slack).After(r.first) && d.At.Before(r.again) })
}

// ambiguous: the answer before left open whether the message was taken, and the
// message says so.
func ambiguous(r duplicate, t Terms) bool { return t.Marked && r.marked }
