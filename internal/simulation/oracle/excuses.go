package oracle

import "slices"

// mayComeAgain reports whether n duplicates of a delivery are allowed: after an owner
// ended with it in flight or uncommitted, and after ambiguous answers. One that some
// recipients have not got is sent again.
func (it *item) mayComeAgain(n int) bool { return n <= it.permits+it.unclear || it.partly }

// leavesOpen reports whether a dead letter is open although the delivery that
// it is of was delivered after it was written.
func (it *item) leavesOpen(l *deadLetter) bool {
	return l.open && l.item == it && it.entry == "" && it.delivered > 0 && it.when > l.when
}

// Why a dead letter may stay open although its delivery was delivered. Each
// excuses what its comment says and no more.
var openExcuses = []func(*deadLetter, *item) bool{
	someRefused, takenByFormerOwner, writtenByFormerOwner, answeredUnclearly, inSeveralPartitions, outlivedAssignment, goneWithTopic, raisedAndMoved,
}

func excusedOpen(l *deadLetter, it *item) bool {
	return slices.ContainsFunc(openExcuses, func(excuse func(*deadLetter, *item) bool) bool { return excuse(l, it) })
}

// someRefused: some of its recipients refused it; the dead letter is about them.
func someRefused(_ *deadLetter, it *item) bool { return it.partly }

// takenByFormerOwner: its sender no longer owned its partition, and left the dead
// letter to the owner.
func takenByFormerOwner(_ *deadLetter, it *item) bool { return !it.byOwner }

// writtenByFormerOwner: the writer of the dead letter no longer owned its partition.
// The next owner does not know of it.
func writtenByFormerOwner(l *deadLetter, _ *item) bool { return !l.byOwner }

// answeredUnclearly: an attempt may have been delivered without an answer that
// said so.
func answeredUnclearly(_ *deadLetter, it *item) bool { return it.unclear > 0 }

// inSeveralPartitions: it was written to several partitions, and the owner of
// one does not know what the owner of another writes.
func inSeveralPartitions(_ *deadLetter, it *item) bool { return it.scattered }

// outlivedAssignment: an attempt outlived its assignment, and its process had
// the partition again when it ended.
func outlivedAssignment(_ *deadLetter, it *item) bool { return it.stray }

// goneWithTopic: it was in a topic that an operator deleted.
func goneWithTopic(_ *deadLetter, it *item) bool { return it.lost }

// raisedAndMoved: a rule sent it to its channel and an operator moved it there from
// another: it is delivered twice, and one of the two may be refused.
func raisedAndMoved(_ *deadLetter, it *item) bool { return it.raised && it.came }
