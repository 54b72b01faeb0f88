package check_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/check"
)

// TestOneCheckHoldsUpNoOther: one hangs and hears of no deadline, one panics, one
// says in time what it knows; the answer comes within the bound, in order.
func TestOneCheckHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		began := time.Now()
		found := check.Gather(t.Context(), 8*time.Second, []check.Check{
			{Area: "a", Name: "deaf", Look: func(context.Context) []check.Finding { <-release; return nil }},
			{Area: "b", Name: "quick", Look: func(context.Context) []check.Finding {
				return []check.Finding{check.Okf("quick", "fine"), check.Warnf("quick", "do it", "hm")}
			}},
			{Area: "c", Name: "breaks", Look: func(context.Context) []check.Finding { panic("no") }},
			{Area: "d", Name: "slow", Look: func(ctx context.Context) []check.Finding {
				<-ctx.Done()
				return []check.Finding{check.Skipf("slow", "not known")}
			}},
		})
		if took := time.Since(began); took > 9*time.Second {
			t.Errorf("it took %s", took)
		}
		want := []check.Finding{
			{Area: "a", Verdict: check.Fault, Subject: "deaf", Text: "no answer within 8s"},
			{Area: "b", Verdict: check.OK, Subject: "quick", Text: "fine"},
			{Area: "b", Verdict: check.Warning, Subject: "quick", Text: "hm", Do: "do it"},
			{Area: "c", Verdict: check.Fault, Subject: "breaks", Text: "the check panicked (string)", Do: "report it as a defect"},
			{Area: "d", Verdict: check.Skipped, Subject: "slow", Text: "not known"},
		}
		if !slices.Equal(found, want) {
			t.Errorf("got %+v\nwant %+v", found, want)
		}
		if n := check.Count(found, check.Fault); n != 2 {
			t.Errorf("%d faults", n)
		}
	})
}
