// Package channeltest contains test helpers for channels.
package channeltest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
)

// Message returns a message with markup, mentions, control and bidirectional
// characters in its values.
func Message() channel.Message {
	at := time.Date(2026, 11, 23, 14, 31, 5, 0, time.UTC)
	return channel.Message{
		Delivery: "dl_abcdefghijklmnopqrstuvwxyz",
		Alert: alert.Alert{
			ID: "al_abcdefghijklmnopqrstuvwxyz", Rule: "order-rejected", Severity: alert.Warning, Key: []string{"ACC-1042", "HALTED"},
			Title: alert.Text{{Text: "Rejected: "}, {Text: "<NVDA> & *co* <!channel>", Value: true}, {Text: " (halted)"}},
			Fields: []alert.Field{
				{Label: "strategy", Value: alert.Text{{Text: "mean-rev-7", Value: true}}},
				{Label: "note", Value: alert.Text{{Text: "line\r\nbreak \u202e reversed", Value: true}}},
			},
			EventTime: at, EventType: "order.rejected", EventID: "01KAQ", Topic: "trade-executions", Runbook: "https://wiki.example.com/rejects",
		},
		Event: []byte(`{"event_type":"order.rejected","symbol":"<NVDA>","price":0.10}`),
		Now:   at.Add(3 * time.Millisecond),
	}
}

// Digest returns a message about n alerts of one group, of which it lists at most
// 20, with markup in their values. The newest is critical if there are several.
func Digest(n int) channel.Message {
	m := Message()
	first := m.Alert.EventTime
	m.Now = first.Add(90 * time.Second)
	d := &channel.Digest{Group: []string{"<XNAS> & *co*"}, Groups: 1, Alerts: n, New: n - 1, First: first}
	for i := range min(n-1, 20) {
		a := m.Alert
		a.EventTime = first.Add(time.Minute - time.Duration(i)*time.Second)
		a.Title = alert.Text{{Text: "Rejected: "}, {Text: fmt.Sprintf("SYM%02d <buy> & 100", i), Value: true}}
		if i == 0 {
			a.Severity = alert.Critical
		}
		d.Items = append(d.Items, a)
	}
	m.Alert, m.Digest, d.Last = d.Items[0], d, d.Items[0].EventTime
	return m
}

// Invisible contains a character of each kind that must be escaped: ESC, a C1
// control, a bidirectional override, a joiner, a filler, a selector, a tag, a
// line separator, and invalid UTF-8.
const Invisible = "a\x1b[31m\u009b\u202e\u200d\u3164\ufe0f\U000e0041\u2028\x9b\r\nz"

// Hostile returns a message with Invisible in every text.
func Hostile() channel.Message {
	m := Message()
	value := alert.Text{{Text: Invisible, Value: true}}
	m.Alert.Severity, m.Alert.Rule, m.Alert.ID, m.Alert.Topic = Invisible, Invisible, Invisible, Invisible
	m.Alert.EventType, m.Alert.EventID, m.Alert.Runbook, m.Alert.Key = Invisible, Invisible, "https://example.com/"+Invisible, []string{Invisible}
	m.Alert.Title, m.Alert.Text = value, alert.Text{{Text: Invisible}, {Text: Invisible, Value: true}}
	m.Alert.Fields = []alert.Field{{Label: Invisible, Value: value}}
	m.Opened, m.Instead = Invisible, &channel.Instead{Channel: Invisible, Cause: Invisible}
	return m
}

// AssertEscaped fails the test unless the invisible characters of text are
// escaped.
func AssertEscaped(t testing.TB, what, text string) {
	t.Helper()
	if visible := alert.VisibleLines(text); visible != text {
		t.Errorf("%s contains unescaped characters:\n%q", what, text)
	}
	if !strings.Contains(text, "⟨U+202E⟩") {
		t.Errorf("%s does not contain the escaped characters: %q", what, text)
	}
}

// AssertCause fails the test unless err has this cause.
func AssertCause(t testing.TB, err error, want outcome.Cause) *outcome.Error {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", want)
	}
	got := outcome.Classify(err)
	if got.Cause != want {
		t.Fatalf("cause is %s (%s), want %s", got.Cause, got.Detail, want)
	}
	return got
}

// AssertLeaksNoSecret fails the test if err contains a secret, however it is
// formatted.
func AssertLeaksNoSecret(t testing.TB, err error, secrets ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	classified := outcome.Classify(err)
	for name, text := range map[string]string{
		"Error()": err.Error(), "the detail": classified.Detail, "%v": fmt.Sprintf("%v", err), "classified": classified.Error(),
	} {
		for _, s := range secrets {
			if strings.Contains(text, s) {
				t.Errorf("%s contains the secret %q: %s", name, s, text)
			}
		}
	}
}
