package duration_test

import (
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/duration"
)

func TestDaysAndWeeksAreDurations(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"7d": 7 * day, "1w": 7 * day, "1d12h": 36 * time.Hour, "1w2d": 9 * day, "500ms": 500 * time.Millisecond, "1.5h": 90 * time.Minute,
		"-2h": -2 * time.Hour, "1h30m": 90 * time.Minute, "0": 0,
	} {
		if got, err := duration.Parse(text); err != nil || got != want {
			t.Errorf("%s is %s (%v), want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "7", "7 d", "1M", "5 minutes", "d", "7D", "999999w"} {
		if got, err := duration.Parse(text); err == nil {
			t.Errorf("%q is read as %s", text, got)
		}
	}
}
