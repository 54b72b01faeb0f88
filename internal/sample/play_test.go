package sample

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestPlayProducesRecordsAtTheirTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		n := 0
		err := Play(ctx, NewStory(1, start, 40), func(r Record) error {
			n++
			if now := time.Since(start); now != r.At {
				t.Fatalf("a record of %v is produced at %v", r.At, now)
			}
			return nil
		})
		if err != nil {
			t.Errorf("Play returns %v after cancellation, want nil", err)
		}
		if n < 2000 {
			t.Errorf("%d records in a minute", n)
		}
	})
}

func TestPlayCatchesUpWithAShortDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, n, late := time.Now(), 0, time.Duration(0)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_ = Play(ctx, NewStory(1, start, 40), func(r Record) error {
			if n++; n == 100 {
				time.Sleep(5 * time.Second)
			}
			late = time.Since(start.Add(r.At))
			return nil
		})
		if late != 0 {
			t.Errorf("the last record is %v late", late)
		}
	})
}

func TestPlayContinuesFromNowAfterLongPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, after := 0, 0
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour+30*time.Second)
		defer cancel()
		_ = Play(ctx, NewStory(1, time.Now(), 40), func(r Record) error {
			if n++; n == 100 {
				time.Sleep(time.Hour)
				return nil
			}
			if n > 100 {
				after++
				occurred, _ := fields(r)["occurred_at"].(string)
				occurredAt, err := time.Parse(time.RFC3339Nano, occurred)
				if err != nil {
					return nil // poison
				}
				if age := time.Since(occurredAt); age > time.Millisecond {
					t.Fatalf("an event after the pause is %v old", age)
				}
			}
			return nil
		})
		if after < 500 || after > 3000 {
			t.Errorf("%d records in half a minute after the pause, want about 1100", after)
		}
	})
}

func TestPlayReturnsErrorOfProduce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		n := 0
		err := Play(t.Context(), NewStory(1, time.Now(), 40), func(Record) error {
			if n++; n == 3 {
				return broken
			}
			return nil
		})
		if !errors.Is(err, broken) || n != 3 {
			t.Errorf("got %v after %d records", err, n)
		}
	})
}
