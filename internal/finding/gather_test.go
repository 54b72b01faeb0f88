package finding_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/finding"
)

// TestOneCheckHoldsUpNoOther: one hangs and hears of no deadline, one panics, one
// says in time what it knows; the answer comes within the bound, in order.
func TestOneCheckHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		began := time.Now()
		found := finding.Gather(t.Context(), 8*time.Second, []finding.Check{
			{Area: "a", Name: "deaf", Look: func(context.Context) []finding.Finding { <-release; return nil }},
			{Area: "b", Name: "quick", Look: func(context.Context) []finding.Finding {
				return []finding.Finding{finding.Okf("quick", "fine"), finding.Warnf("quick", "do it", "hm")}
			}},
			{Area: "c", Name: "breaks", Look: func(context.Context) []finding.Finding { panic("no") }},
			{Area: "d", Name: "slow", Look: func(ctx context.Context) []finding.Finding {
				<-ctx.Done()
				return []finding.Finding{finding.Skipf("slow", "not known")}
			}},
		})
		if took := time.Since(began); took > 9*time.Second {
			t.Errorf("it took %s", took)
		}
		want := []finding.Finding{
			{Area: "a", Verdict: finding.Fault, Subject: "deaf", Text: "no answer within 8s"},
			{Area: "b", Verdict: finding.OK, Subject: "quick", Text: "fine"},
			{Area: "b", Verdict: finding.Warning, Subject: "quick", Text: "hm", Do: "do it"},
			{Area: "c", Verdict: finding.Fault, Subject: "breaks", Text: "the check panicked (string)", Do: "report it as a defect"},
			{Area: "d", Verdict: finding.Skipped, Subject: "slow", Text: "not known"},
		}
		if !slices.Equal(found, want) {
			t.Errorf("got %+v\nwant %+v", found, want)
		}
		if n := finding.Count(found, finding.Fault); n != 2 {
			t.Errorf("%d faults", n)
		}
	})
}
