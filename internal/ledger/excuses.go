package ledger

import "slices"

// Why a delivery may be missing, out of order or a duplicate, or have a dead letter
// that it should not need. Each function excuses what its comment says and no
// more.

// excusedLoss reports whether a delivery without an outcome of its own is no loss.
func excusedLoss(d *Delivery) bool { return goneWithOutbox(d) || movedAway(d) }

// excusedOrder reports whether a later one of its lane may be attempted first.
func excusedOrder(d *Delivery) bool {
	return deadLettered(d) || goneWithOutbox(d) || movedAway(d) || movedBack(d) || overtaken(d)
}

// goneWithOutbox: it was in an outbox that an operator deleted.
func goneWithOutbox(d *Delivery) bool { return d.Gone }

// overtaken: its outbox refused it at first, and took a later one that was on its way.
func overtaken(d *Delivery) bool { return d.Overtaken }

// movedAway: it was moved to another channel, and has its outcome there, or was in
// that channel's outbox when an operator deleted it.
func movedAway(d *Delivery) bool {
	return d.MovedTo != nil && (d.MovedTo.settled() || goneWithOutbox(d.MovedTo))
}

// movedBack: it was moved to another channel and from there back to its own, where it
// stands behind what was raised meanwhile.
func movedBack(d *Delivery) bool { return d.MovedTo != nil && d.MovedTo.MovedTo == d }

// deadLettered: its outcome is a dead letter, which does not block the next in its
// lane; a replay delivers it later.
func deadLettered(d *Delivery) bool { return d.dead }

// refusedByProvider: the provider refuses it, so it should have a dead letter.
func refusedByProvider(d *Delivery) bool { return d.Refused }

// reasonAllowed: the run made attempts fail often enough for this reason.
func reasonAllowed(entry DeadLetter, t Terms) bool { return slices.Contains(t.Reasons, entry.Reason) }

// superfluous: the run froze an owner, which may have written a dead letter of what
// the next owner delivered.
func superfluous(t Terms) bool { return t.Superfluous }

// disturbedBy returns the first disturbance between the two attempts of a
// duplicate, which it belongs to; -1: there is none.
func disturbedBy(r duplicate, all []Disturbance) int {
	return slices.IndexFunc(all, func(d Disturbance) bool { return d.At.Add(d.Slack).After(r.first) && d.At.Before(r.again) })
}

// ambiguous: the outcome of the earlier attempt was ambiguous, and the message says
// so.
func ambiguous(r duplicate, t Terms) bool { return t.Marked && r.marked }
