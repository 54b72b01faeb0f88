//go:build race

package simulation

// One schedule is one goroutine: the race detector finds little in it, and
// makes it eight times as slow.
func init() { defaultSchedules = 1_000 }
