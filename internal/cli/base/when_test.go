package base

import (
	"testing"
	"time"
)

// TestTimesBefore1970AreTheFirst, since Kafka's requests have other meanings for them.
func TestTimesBefore1970AreTheFirst(t *testing.T) {
	now := time.Date(2026, 11, 23, 14, 31, 5, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"": {}, "2h": now.Add(-2 * time.Hour), "-24h": now.Add(-24 * time.Hour), "2026-11-20T00:00:00Z": time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC),
		"36500d": time.Unix(0, 0), "1969-12-31T23:59:59.998Z": time.Unix(0, 0), "1970-01-01T00:00:01Z": time.Unix(1, 0),
	} {
		if got, err := ParseWhen(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if _, err := ParseWhen("yesterday", now); err == nil {
		t.Error("a word is accepted")
	}
}
