package digest_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/digest"
)

var start = time.Date(2026, 11, 23, 14, 31, 5, 0, time.UTC)

// TestWindowsOfAGroup plays drawn alerts: each waits until the end of a window that
// never ends later than the longest one, and at once if it is more severe than all told.
func TestWindowsOfAGroup(t *testing.T) {
	c := digest.Defaults()
	rapid.Check(t, func(t *rapid.T) {
		var groups digest.Groups
		key := digest.KeyOf(&alert.Alert{Rule: "r"})
		now, alerts, worst := start, 0, 0
		for range rapid.IntRange(1, 40).Draw(t, "alerts") {
			now = now.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "seconds")) * time.Second)
			severity := rapid.SampledFrom(alert.Severities()).Draw(t, "severity")
			g := groups.Open(key, now)
			if g.First() {
				alerts, worst = 0, 0
			}
			due := g.Due(severity.Rank())
			switch {
			case severity.Rank() > worst && !due.IsZero():
				t.Fatalf("%s waits until %s, although nothing as severe was told", severity, due)
			case due.Sub(now) > c.MaxWindow, severity == alert.Critical && due.Sub(now) > c.CriticalWindow:
				t.Fatalf("%s waits for %s", severity, due.Sub(now))
			case severity.Rank() <= worst && due.IsZero():
				t.Fatalf("%s does not wait", severity)
			}
			if due.After(now) {
				now = due
			}
			n := rapid.IntRange(1, 1000).Draw(t, "gathered")
			g.Tell(c, now, digest.Told{Severity: severity, Alerts: n, First: now, Message: fmt.Sprint(n)})
			groups.Keep(key, g, now)
			alerts, worst = alerts+n, max(worst, severity.Rank())
			if told, _, message := g.Before(worst); told != alerts || message != fmt.Sprint(n) {
				t.Fatalf("%d told in %q, want %d", told, message, alerts)
			}
		}
	})
}

func TestRisenSeverityReplacesNoMessage(t *testing.T) {
	var g digest.Group
	g.Tell(digest.Defaults(), start, digest.Told{Severity: alert.Info, Alerts: 2, First: start, Message: "m"})
	for severity, want := range map[alert.Severity]string{alert.Info: "m", alert.Warning: "", alert.Critical: ""} {
		if _, _, got := g.Before(severity.Rank()); got != want {
			t.Errorf("%s replaces %q", severity, got)
		}
	}
}

func TestGroupsAreBoundedAndForgottenWhenIdle(t *testing.T) {
	var groups digest.Groups
	tell := func(i int, at time.Time) {
		key := digest.KeyOf(&alert.Alert{Rule: "r", Key: []string{fmt.Sprint(i)}})
		g := groups.Open(key, at)
		g.Tell(digest.Defaults(), at, digest.Told{Severity: alert.Warning, Alerts: 1, First: at})
		groups.Keep(key, g, at)
	}
	for i := range 150_000 {
		tell(i, start)
	}
	if n := groups.Len(); n != 100_000 {
		t.Errorf("%d groups are remembered", n)
	}
	for i := range 110_000 {
		tell(200_000+i, start.Add(time.Hour))
	}
	if n := groups.Len(); n > 110_000 {
		t.Errorf("%d groups are remembered", n)
	}
	for i := range 120_000 {
		tell(400_000+i, start.Add(time.Duration(2+i)*time.Hour))
	}
	if n := groups.Len(); n > 1001 {
		t.Errorf("%d groups are remembered, and all but one are idle", n)
	}
}

func TestGroupsOfRulesAndTuplesDiffer(t *testing.T) {
	keys := make(map[digest.Key]int)
	for i, a := range []alert.Alert{
		{Rule: "r", Key: []string{"a", "b"}},
		{Rule: "r", Key: []string{"ab"}},
		{Rule: "ra", Key: []string{"b"}},
		{Rule: "r", Key: []string{"a", "b"}, Group: []string{"g"}},
		{Rule: "r", Key: []string{"a", "b", ""}},
	} {
		if other, found := keys[digest.KeyOf(&a)]; found {
			t.Errorf("%d and %d are one group", i, other)
		}
		keys[digest.KeyOf(&a)] = i
	}
	same := alert.Alert{Rule: "r", Key: []string{"c"}, Group: []string{"g"}}
	if _, found := keys[digest.KeyOf(&same)]; !found {
		t.Error("another key of the same group is another group")
	}
}

func BenchmarkKeyOf(b *testing.B) {
	a := &alert.Alert{Rule: "order-rejected", Key: []string{"ACC-1042", "HALTED"}}
	b.ReportAllocs()
	for b.Loop() {
		_ = digest.KeyOf(a)
	}
}
