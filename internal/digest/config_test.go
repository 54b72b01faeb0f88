package digest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/digest"
	"github.com/algotrade/notifier/internal/yamldoc"
)

func TestSettingIsReadShownAndMerged(t *testing.T) {
	rules := digest.Defaults()
	for text, want := range map[string]struct {
		shown string
		over  digest.Config
		fault string
	}{
		"on":                {shown: "on", over: rules},
		"off":               {shown: "off", over: rules},
		"{}":                {shown: "on", over: rules},
		"{window: 10m}":     {shown: "{window: 10m}", over: digest.Config{Window: 10 * time.Minute, CriticalWindow: 10 * time.Second, MaxWindow: 10 * time.Minute, MaxItems: 20, CollapseOver: 10}},
		"{max_items: 3}":    {shown: "{max_items: 3}", over: digest.Config{Window: rules.Window, CriticalWindow: rules.CriticalWindow, MaxWindow: rules.MaxWindow, MaxItems: 3, CollapseOver: 10}},
		"often":             {fault: `"often" is none of on, off and {window: 30s, …}`},
		"{max_items: 0}":    {fault: "s.max_items: 0 is not between 1 and 100"},
		"{max_window: 16m}": {fault: "s.max_window: 16m is not between 1s and 15m"},
		"{windw: 1m}":       {fault: `unknown key: did you mean "window"?`},
	} {
		var doc struct {
			S digest.Setting `yaml:"s"`
		}
		faults := yamldoc.Decode("f", "", []byte("s: "+text), &doc)
		if want.fault != "" {
			if len(faults) != 1 || !strings.Contains(faults.Error(), want.fault) {
				t.Errorf("%s: %v", text, faults)
			}
			continue
		}
		shown, _ := doc.S.MarshalText()
		if len(faults) > 0 || string(shown) != want.shown || doc.S.Over(rules) != want.over {
			t.Errorf("%s: shown as %s, is %+v: %v", text, shown, doc.S.Over(rules), faults)
		}
	}
}
