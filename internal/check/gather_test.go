package check_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/check"
)

// TestGatherBoundsHangingChecks: one hangs and hears of no deadline, one panics, one
// says in time what it knows; the answer comes within the bound, in order.
func TestGatherBoundsHangingChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		began := time.Now()
		found := check.Gather(t.Context(), 8*time.Second, []check.Check{
			{Area: "a", Name: "deaf", Run: func(context.Context) []check.Result { <-release; return nil }},
			{Area: "b", Name: "quick", Run: func(context.Context) []check.Result {
				return []check.Result{check.Okf("quick", "fine"), check.Warnf("quick", "do it", "hm")}
			}},
			{Area: "c", Name: "breaks", Run: func(context.Context) []check.Result { panic("no") }},
			{Area: "d", Name: "slow", Run: func(ctx context.Context) []check.Result {
				<-ctx.Done()
				return []check.Result{check.Skipf("slow", "not known")}
			}},
		})
		if took := time.Since(began); took > 9*time.Second {
			t.Errorf("it took %s", took)
		}
		want := []check.Result{
			{Area: "a", Status: check.Failed, Subject: "deaf", Message: "no answer within 8s"},
			{Area: "b", Status: check.OK, Subject: "quick", Message: "fine"},
			{Area: "b", Status: check.Warning, Subject: "quick", Message: "hm", Remedy: "do it"},
			{Area: "c", Status: check.Failed, Subject: "breaks", Message: "the check panicked (string)", Remedy: "report it as a defect"},
			{Area: "d", Status: check.Skipped, Subject: "slow", Message: "not known"},
		}
		if !slices.Equal(found, want) {
			t.Errorf("got %+v\nwant %+v", found, want)
		}
		if n := check.Count(found, check.Failed); n != 2 {
			t.Errorf("%d faults", n)
		}
	})
}
