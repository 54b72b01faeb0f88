package channel_test

import (
	"strings"
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
	notice := channel.Message{Alert: alert.Alert{Topic: alert.Notifier, EventTime: event}, Now: event.Add(time.Second)}
	if got := notice.Delay(); got != "" {
		t.Errorf("a notice, which has no event: %q, want nothing", got)
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

func TestHeadingSaysSeverityAndState(t *testing.T) {
	for want, m := range map[string]channel.Message{
		"CRITICAL":          {Alert: alert.Alert{Severity: alert.Critical}},
		"Warning":           {Alert: alert.Alert{Severity: alert.Warning}},
		"Info reminder":     {Alert: alert.Alert{Severity: alert.Info}, Reminder: true},
		"CRITICAL reminder": {Alert: alert.Alert{Severity: alert.Critical}, Reminder: true},
		"Resolved":          {Alert: alert.Alert{Severity: alert.Critical, State: alert.Resolved}},
		"Alert":             {},
	} {
		if got := m.Heading(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestSpanLabelSaysHowLong(t *testing.T) {
	at := time.Date(2026, 3, 2, 14, 31, 5, 0, time.UTC)
	for name, c := range map[string]struct {
		m    channel.Message
		want string
	}{
		"resolved":          {channel.Message{Alert: alert.Alert{State: alert.Resolved, EventTime: at.Add(12 * time.Minute)}, Since: at}, "resolved after 12 m 0 s"},
		"resolved, unknown": {channel.Message{Alert: alert.Alert{State: alert.Resolved, EventTime: at}}, ""},
		"resolved before":   {channel.Message{Alert: alert.Alert{State: alert.Resolved, EventTime: at}, Since: at.Add(time.Second)}, ""},
		"reminder":          {channel.Message{Alert: alert.Alert{EventTime: at}, Reminder: true, Since: at, Now: at.Add(65 * time.Minute)}, "firing for 1 h 5 m"},
		"firing":            {channel.Message{Alert: alert.Alert{EventTime: at}, Since: at, Now: at.Add(time.Hour)}, ""},
		"digest":            {channel.Message{Alert: alert.Alert{State: alert.Resolved, EventTime: at.Add(time.Hour)}, Since: at, Digest: &channel.Digest{}}, ""},
	} {
		if got := c.m.SpanLabel(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestReminderIsNotLate(t *testing.T) {
	at := time.Date(2026, 3, 2, 14, 31, 5, 0, time.UTC)
	m := channel.Message{Alert: alert.Alert{EventTime: at}, Reminder: true, Now: at.Add(time.Hour)}
	if _, late := m.Late(); late || m.Delay() != "" {
		t.Errorf("late: %q", m.Delay())
	}
}

func TestInsteadLabelNamesChannelAndCause(t *testing.T) {
	m := channel.Message{Instead: &channel.Instead{Channel: "desk-slack", Cause: "suspended: invalid_auth"}}
	if got := m.InsteadLabel(); got != "instead of desk-slack (suspended: invalid_auth)" {
		t.Error(got)
	}
	m.Instead = &channel.Instead{Channel: strings.Repeat("a\u202eb", 100), Cause: strings.Repeat("x\n", 500)}
	if got := m.InsteadLabel(); len([]rune(got)) > 300 || strings.ContainsAny(got, "\n\u202e") {
		t.Errorf("%d runes: %q", len([]rune(got)), got)
	}
	m.Instead = &channel.Instead{Channel: "<!here>", Cause: "550 <@U0> @all `a` [b](https://evil.example.com/) &lt; *c*"}
	if got := m.InsteadLabel(); got != "instead of here (550 U0 all a b (https: evil.example.com ) lt; c)" {
		t.Error(got)
	}
	if got := (channel.Message{}).InsteadLabel(); got != "" {
		t.Error(got)
	}
}
