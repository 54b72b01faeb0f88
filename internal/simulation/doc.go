// Package simulation steps the deciding half of the notifier through schedules
// that a seed chooses: partitions and what they commit, the repeat filter,
// outboxes with their lanes, pace, breaker and retries, the settling of
// deliveries, the encoding of everything that is written, and the fold of dead
// letters. All of that is the real code. Around it stands a model: logs of
// records, a coordinator that keeps commits, producers whose promises come late
// or fail, matching, and the providers.
//
// Nothing runs by itself. A schedule is one goroutine in a testing/synctest
// bubble, so that time is its own, and it does one thing after the other:
// produce an event, append a write, answer an attempt, lose a partition, crash.
// The same seed gives the same history, byte for byte. Package oracle judges it.
//
//	go test ./internal/simulation -run TestSchedules -seed 4711 -v
//
// replays one schedule and prints what happened; -schedules N makes as many of
// them. Start reading at world.
package simulation
