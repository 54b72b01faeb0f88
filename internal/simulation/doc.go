// Package simulation steps the notifier through schedules that a seed draws:
// crashes, rebalances, commits that are late or lost, writes that are refused or
// carried out without an answer, providers that fail, moves and replays.
//
// Real are ingest's Handler, Batch and Output, outbox's Producer, consume's
// partitions with their trackers, fences and commit metadata, everything that
// decides in dispatch, the settling of deliveries, the format of all that is
// written, and the index of dead letters. Modelled are the brokers' logs and the
// client's buffers (broker), the group and its coordinator (process), decoding and
// rules (rules), the providers (driver), and which replay requests are forwarded
// (replays).
//
// Nothing runs by itself. A schedule is one goroutine in a testing/synctest
// bubble, so that time is its own, and it does one thing after the other: produce
// an event, answer a write, call a promise, answer an attempt, lose a partition,
// crash. The same seed gives the same history, byte for byte. Package oracle
// judges it.
//
//	go test ./internal/simulation -run TestSchedules -seed 4711 -v
//
// runs one schedule again and prints what happened; -schedules N runs N of them.
// Start reading at world.
package simulation
