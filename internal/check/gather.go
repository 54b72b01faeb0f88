package check

import (
	"context"
	"time"
)

// Check checks one area.
type Check struct {
	Area string
	Name string // the subject of a result if Run panics or does not return in time
	Run  func(ctx context.Context) []Result
}

// grace is the time for a check to return after its context has ended.
const grace = 500 * time.Millisecond

// Gather runs checks concurrently, each for at most a time, and returns their results
// in order. A check that panics or does not return is a failed result.
func Gather(ctx context.Context, each time.Duration, checks []Check) []Result {
	ctx, cancel := context.WithTimeout(ctx, each)
	defer cancel()
	found := make([]chan []Result, len(checks))
	for i, c := range checks {
		found[i] = make(chan []Result, 1) // a late check must not block
		go func() {
			defer func() {
				if v := recover(); v != nil {
					found[i] <- []Result{Failedf(c.Name, "report it as a defect", "the check panicked (%T)", v)}
				}
			}()
			found[i] <- c.Run(ctx)
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
