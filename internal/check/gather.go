package check

import (
	"context"
	"time"
)

// Check looks at one area.
type Check struct {
	Area string
	// Name is what is looked at, said where Look does not come to an end.
	Name string
	Look func(ctx context.Context) []Result
}

// grace is what a check gets after its time is over, to say what it knows.
const grace = 500 * time.Millisecond

// Gather runs checks at once, each for at most a time, and returns what they
// found, in the order of the checks. One that does not end all the same, or
// panics, is a fault of its own: nothing here waits for it any longer.
func Gather(ctx context.Context, each time.Duration, checks []Check) []Result {
	ctx, cancel := context.WithTimeout(ctx, each)
	defer cancel()
	found := make([]chan []Result, len(checks))
	for i, c := range checks {
		found[i] = make(chan []Result, 1) // 1: whoever is late must not be stuck
		go func() {
			defer func() {
				if v := recover(); v != nil {
					found[i] <- []Result{Failedf(c.Name, "report it as a defect", "the check panicked (%T)", v)}
				}
			}()
			found[i] <- c.Look(ctx)
		}()
	}
	late := time.NewTimer(each + grace)
	defer late.Stop()
	over := false
	var all []Result
	for i, c := range checks {
		var list []Result
		if !over {
			select {
			case list = <-found[i]:
			case <-late.C:
				over = true
			}
		}
		if over {
			select {
			case list = <-found[i]:
			default:
				list = []Result{Failedf(c.Name, "", "no answer within %s", each)}
			}
		}
		for _, f := range list {
			f.Area = c.Area
			all = append(all, f)
		}
	}
	return all
}
