// Package offsets knows which records of a partition are settled, what a commit
// says about them, and which outbox records are duplicates. It is pure: no
// Kafka client, no goroutine, no lock, no clock.
//
// # The problem
//
// A Kafka group commits one offset per partition: everything below it is
// settled. Dispatch settles deliveries out of order, since one lane may wait
// for its retry while others continue. And ingest may crash between an outbox
// write and the commit of the source offset; then the next owner writes the
// same alerts again. Four types deal with that:
//
//   - [Tracker] keeps the unsettled records in log order. Its watermark is the
//     offset that may be committed: the first unsettled one, else the one after
//     the newest record begun.
//   - [Gaps] lists which records above the watermark are unsettled, so that the
//     next owner does not send the settled ones again.
//   - [Dedup] recognises duplicate outbox records.
//   - [Metadata] is the text of a commit: cluster, topic id, dedup state, gaps,
//     crash mark, attempts.
//
// # A worked example
//
// An outbox partition is committed at 100. Dispatch begins 100 to 107. Delivery
// 100 gets a 503 and waits 30 s for its retry; 103 waits for a mailbox; the
// others are delivered.
//
//	offset    100  101  102  103  104  105  106  107
//	settled    -    x    x    -    x    x    x    x
//
// The watermark is 100: nothing can be committed but 100 again. The commit's
// metadata holds Gaps{newest: 107, runs: 100-100, 103-103}. If the process dies
// now, the next owner reads from 100, sends 100 and 103, and settles the other
// six at once (Gaps.Settled). When 100 is delivered the watermark moves to 103;
// when 103 is, to 108, and the list is empty.
//
// # Duplicates
//
// Every outbox record names the input partition its writer was reading, the
// position of the record that raised it (From), and the position below which
// that input was committed when it was written (Done). Ingest reads
// trade-executions/0, committed at 40, and raises alerts for 41 and 43:
//
//	outbox 200: From 41, Done 40
//	outbox 201: From 43, Done 40
//
// It dies before it commits 44. The next owner reads from 40 again, now after a
// change of rules, and writes
//
//	outbox 202: From 41, Done 40   the same delivery id as 200: a duplicate
//	outbox 203: From 42, Done 40   a new id: sent
//	outbox 204: From 43, Done 40   the same delivery id as 201: a duplicate
//
// and after its commit of 50
//
//	outbox 205: From 52, Done 50   ids from below 50 can be forgotten: whatever
//	                               comes from there later was acknowledged before
//
// Only what is known to be acknowledged is dropped: a record below the highest
// Done that was seen, or at or above it with an id that was seen. Everything
// else is new. So former owners that still write, null keys, changed rules and
// partition counts can at worst lead to a duplicate, never to a loss. Positions
// order by leader epoch before offset (KIP-101); without topic ids nothing is
// dropped.
//
// What a person had passed over ('notifier run --start latest', an offset set by
// hand) was never acknowledged. So a record also says where its input began to be
// read without a break (Input.Begin), and Done means what lies from there on:
//
//	outbox 206: Begin 80, From 81, Done 80   52 to 79 were passed over
//	outbox 207: Begin 0,  From 60, Done 0    gone back: a new id, sent
//	outbox 208: Begin 0,  From 43, Done 0    below the Done of 50: a duplicate
//
// The dedup state of a commit is that as of its watermark: an unsettled record
// carries the origins of the settled ones behind it, and they join when the
// watermark passes it.
package offsets
