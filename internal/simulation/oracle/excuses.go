package oracle

import "slices"

// mayComeAgain reports whether a delivery may be sent n times more than once:
// what was in flight or not committed when an owner ended, and what was answered
// unclearly, may; what some of the recipients have not got yet has to.
func (it *item) mayComeAgain(n int) bool { return n <= it.permits+it.unclear || it.partly }

// leavesOpen reports whether a dead letter is open although the delivery that
// it is of was delivered after it was written.
func (it *item) leavesOpen(l *letter) bool {
	return l.open && l.item == it && it.entry == "" && it.delivered > 0 && it.when > l.when
}

// Why a dead letter may stay open although its delivery was delivered. Each
// excuses what its comment says and no more.
var openExcuses = []func(*letter, *item) bool{
	someRefused, takenByFormerOwner, writtenByFormerOwner, answeredUnclearly, inSeveralPartitions, outlivedAssignment, goneWithTopic, raisedAndMoved,
}

func excusedOpen(l *letter, it *item) bool {
	return slices.ContainsFunc(openExcuses, func(excuse func(*letter, *item) bool) bool { return excuse(l, it) })
}

// someRefused: it was delivered to some of its recipients; the dead letter is
// about the others.
func someRefused(_ *letter, it *item) bool { return it.partly }

// takenByFormerOwner: who sent it did not own its partition any longer, and left
// the dead letter to who did.
func takenByFormerOwner(_ *letter, it *item) bool { return !it.byOwner }

// writtenByFormerOwner: who wrote the dead letter did not own its partition any
// more. The next owner does not know of it.
func writtenByFormerOwner(l *letter, _ *item) bool { return !l.byOwner }

// answeredUnclearly: an attempt may have been delivered without an answer that
// said so.
func answeredUnclearly(_ *letter, it *item) bool { return it.unclear > 0 }

// inSeveralPartitions: it was written to several partitions, and the owner of
// one does not know what the owner of another writes.
func inSeveralPartitions(_ *letter, it *item) bool { return it.scattered }

// outlivedAssignment: an attempt outlived its assignment, and its process had
// the partition again when it ended.
func outlivedAssignment(_ *letter, it *item) bool { return it.stray }

// goneWithTopic: it was in a topic that someone deleted.
func goneWithTopic(_ *letter, it *item) bool { return it.lost }

// raisedAndMoved: a rule sent it to its channel and a person moved it there from
// another: it is delivered twice, and one of the two may be refused.
func raisedAndMoved(_ *letter, it *item) bool { return it.raised && it.came }
