package sample

import (
	"context"
	"time"
)

// Largest difference between the story and the clock before the story is shifted. A
// short delay of the broker is caught up, an hour of sleep is skipped.
const (
	maxLate  = 10 * time.Second
	maxEarly = time.Minute
)

// Play passes each record of the story to produce at its time. It returns nil when
// ctx is cancelled, or the first error of produce. If the clock is beyond maxLate or
// maxEarly, the story continues from now.
func Play(ctx context.Context, story *Story, produce func(Record) error) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait := time.Until(story.due())
		if wait < -maxLate || wait > maxEarly {
			story.shift(-wait)
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
