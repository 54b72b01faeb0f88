package sample

import (
	"context"
	"time"
)

// How far the story may stand from the clock before it is moved. A broker that
// stutters is caught up with; a laptop that slept for an hour is not, or an
// hour of stale events would follow.
const (
	maxLate  = 10 * time.Second
	maxEarly = time.Minute
)

// Play hands the story's records to produce, each at its time, and returns nil
// when ctx is cancelled or the first error of produce. It catches up when it
// is a little late; when the clock is far from the story, because the machine
// slept or its clock was set, the story goes on from now.
func Play(ctx context.Context, story *Story, produce func(Record) error) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait := time.Until(story.due())
		if wait < -maxLate || wait > maxEarly {
			story.move(-wait)
			wait = 0
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if err := produce(story.Next()); err != nil {
			return err
		}
	}
}
