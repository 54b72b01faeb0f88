package channels

import (
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/obs/admin"
)

// TestResetTellsRefusedFromTaken: what a probe has had refused is a dead letter,
// so that fewer wait although nothing was taken.
func TestResetTellsRefusedFromTaken(t *testing.T) {
	asked := time.Now()
	before, after := asked.Add(-time.Second), asked.Add(time.Second)
	for name, test := range map[string]struct {
		c         *admin.Component
		refused   bool
		suspended bool
	}{
		"no notifier":     {nil, false, false},
		"works":           {&admin.Component{OK: true, State: "closed", Tried: &after}, false, false},
		"not tried since": {&admin.Component{State: "latched", Tried: &before}, false, false},
		"never tried":     {&admin.Component{State: "latched"}, false, false},
		"refused":         {&admin.Component{State: "latched", Tried: &after}, true, false},
		"down":            {&admin.Component{State: "open", Tried: &after}, true, false},
		"tried now":       {&admin.Component{State: "half_open", Tried: &after}, false, false},
		"but for a rule":  {&admin.Component{State: "closed", Cause: "rule r is suspended", Tried: &after}, false, true},
	} {
		if got := refusedSince(test.c, asked) != ""; got != test.refused {
			t.Errorf("%s: refused is %v", name, got)
		}
		if got := ruleSuspended(test.c); got != test.suspended {
			t.Errorf("%s: a rule is suspended is %v", name, got)
		}
	}
}
