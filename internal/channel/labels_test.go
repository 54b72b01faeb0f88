package channel_test

import (
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
)

func TestDelayIsLateFromOneMinute(t *testing.T) {
	event := time.Date(2026, 3, 2, 14, 31, 5, 0, time.UTC)
	for _, c := range []struct {
		after time.Duration
		want  string
	}{
		{-2 * time.Second, "2.0 s before the event"},
		{0, "0 ms after the event"},
		{3 * time.Millisecond, "3 ms after the event"},
		{1540 * time.Millisecond, "1.5 s after the event"},
		{9990 * time.Millisecond, "9.9 s after the event"},
		{time.Minute - 1, "59 s after the event"},
		{time.Minute, "1 m 0 s late"},
		{4*time.Minute + 10*time.Second, "4 m 10 s late"},
		{125 * time.Minute, "2 h 5 m late"},
		{76 * time.Hour, "3 d 4 h late"},
	} {
		m := channel.Message{Alert: alert.Alert{EventTime: event}, Now: event.Add(c.after)}
		if got := m.Delay(); got != c.want {
			t.Errorf("%v after the event: %q, want %q", c.after, got, c.want)
		}
	}
	if got := (channel.Message{Now: event}).Delay(); got != "" {
		t.Errorf("without an event time: %q, want nothing", got)
	}
}

func TestReplayLabelNamesReplaysAndResends(t *testing.T) {
	for want, m := range map[string]channel.Message{
		"": {}, "replay": {Replay: 1}, "replay 3": {Replay: 3}, "sent again by a person": {Resent: true},
	} {
		if got := m.ReplayLabel(); got != want {
			t.Errorf("%+v: %q, want %q", m, got, want)
		}
	}
}

func TestThrottledLabelIncludesDayUnlessToday(t *testing.T) {
	now := time.Date(2026, 3, 2, 14, 31, 5, 0, time.UTC)
	for _, c := range []struct {
		since time.Time
		want  string
	}{
		{time.Date(2026, 3, 2, 9, 31, 0, 0, time.UTC), "+14 since 09:31"},
		{time.Date(2026, 3, 1, 23, 59, 0, 0, time.UTC), "+14 since 1 Mar 23:59"},
		{time.Time{}, "+14"},
	} {
		m := channel.Message{Now: now, Suppressed: 14, SuppressedSince: c.since}
		if got := m.ThrottledLabel(time.UTC); got != c.want {
			t.Errorf("since %v: %q, want %q", c.since, got, c.want)
		}
	}
	if got := (channel.Message{Now: now}).ThrottledLabel(time.UTC); got != "" {
		t.Errorf("nothing suppressed: %q, want nothing", got)
	}
}
