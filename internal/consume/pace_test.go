package consume

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestCommitsArePaced(t *testing.T) {
	const ms = time.Millisecond
	for name, tc := range map[string]struct {
		ask  func(p pace)
		want []time.Duration // when commits begin, each of which takes 3 ms
	}{
		"sources":              {func(p pace) { p.commit(false); time.Sleep(ms); p.commit(false); time.Sleep(50 * ms) }, []time.Duration{0, 103 * ms}},
		"one":                  {func(p pace) { p.commit(false) }, []time.Duration{0}},
		"one during another":   {func(p pace) { p.commit(false); time.Sleep(ms); p.commit(false) }, []time.Duration{0, 28 * ms}},
		"urgent behind one":    {func(p pace) { p.commit(false); time.Sleep(5 * ms); p.commit(true) }, []time.Duration{0, 5 * ms}},
		"urgent while resting": {func(p pace) { p.commit(false); time.Sleep(4 * ms); p.commit(false); time.Sleep(2 * ms); p.commit(true) }, []time.Duration{0, 6 * ms}},
		"after a pause":        {func(p pace) { p.commit(false); time.Sleep(50 * ms); p.commit(false) }, []time.Duration{0, 50 * ms}},
		"many": {func(p pace) {
			for range 83 { // the last 2 ms before the fourth commit
				p.commit(false)
				time.Sleep(ms)
			}
		}, []time.Duration{0, 28 * ms, 56 * ms, 84 * ms}},
		"none": {func(pace) { time.Sleep(510 * ms) }, []time.Duration{500 * ms}},
	} {
		synctest.Test(t, func(t *testing.T) {
			p, began := newPace(name != "sources"), time.Now()
			ctx, cancel := context.WithCancel(t.Context())
			var got []time.Duration
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				p.run(ctx, func() {
					got = append(got, time.Since(began))
					time.Sleep(3 * ms)
				})
			}()
			synctest.Wait()
			tc.ask(p)
			time.Sleep(200 * ms)
			cancel()
			<-ended
			if !slices.Equal(got, tc.want) {
				t.Errorf("%s: commits began at %v, want %v", name, got, tc.want)
			}
		})
	}
}
