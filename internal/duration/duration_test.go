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

func TestDurationsAreWrittenAsTheyAreRead(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 500 * time.Millisecond: "500ms", 10 * time.Second: "10s", time.Minute: "1m", 90 * time.Minute: "1h30m", time.Hour: "1h",
		24 * time.Hour: "24h", 10*time.Hour + 10*time.Second: "10h0m10s", 2*time.Minute + 30*time.Second: "2m30s", -10 * time.Minute: "-10m",
	} {
		got := duration.Text(d)
		if back, err := duration.Parse(got); got != want || err != nil || back != d {
			t.Errorf("%s is written %q and read as %s (%v), want %q", d, got, back, err, want)
		}
	}
}
