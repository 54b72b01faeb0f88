package cli

import (
	"testing"
	"time"
)

func TestAThrottleIsShownAsItIsWritten(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "–", 10 * time.Second: "10s", time.Minute: "1m", 10 * time.Minute: "10m", 30 * time.Minute: "30m",
		90 * time.Minute: "1h30m", time.Hour: "1h", 24 * time.Hour: "24h", 10*time.Hour + 10*time.Second: "10h0m10s",
	} {
		if got := throttleText(d); got != want {
			t.Errorf("%s is shown as %q, want %q", d, got, want)
		}
	}
}
