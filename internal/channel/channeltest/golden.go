package channeltest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
)

// GroupDigest returns the digest of 12 alerts of one group, 3 of which have a row.
func GroupDigest() channel.Message {
	m := Message()
	first := m.Alert.EventTime
	items := []alert.Alert{m.Alert, m.Alert, m.Alert}
	items[0].Severity = alert.Critical
	items[0].Title = alert.Text{{Text: "Rejected: "}, {Text: "@everyone [a](https://evil.example.com)", Value: true}}
	items[1].Title = alert.Text{{Text: "Rejected: "}, {Text: "`AMD`", Value: true}}
	items[1].EventTime = first.Add(30 * time.Second)
	m.Alert = items[0]
	m.Digest = &channel.Digest{Group: []string{"HALTED"}, Groups: 1, Alerts: 12, First: first, Last: first.Add(time.Minute), Items: items}
	return m
}

// Resolved returns the message that what Message is about is over after 2 h 5 m.
func Resolved() channel.Message {
	m := Message()
	m.Alert.State, m.Since = alert.Resolved, m.Alert.EventTime.Add(-125*time.Minute)
	return m
}

// Reminder returns a critical reminder of what Message is about, which began 2 h 5 m ago.
func Reminder() channel.Message {
	m := Message()
	m.Alert.Severity, m.Reminder, m.Since = alert.Critical, true, m.Alert.EventTime
	m.Now = m.Since.Add(125 * time.Minute)
	return m
}

// Instead returns a message that was meant for another channel, and is late for it.
func Instead() channel.Message {
	m := Message()
	m.Instead = &channel.Instead{Channel: "desk-slack", Cause: "suspended: invalid_auth"}
	m.Now = m.Alert.EventTime.Add(250 * time.Second)
	return m
}

// GoldenJSON compares JSON, indented, with the file testdata/name, or writes
// the file if update is true.
func GoldenJSON(t testing.TB, update bool, name string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, body, "", "  "); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	b.WriteByte('\n')
	file := filepath.Join("testdata", name)
	if update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, b.Bytes()) {
		t.Errorf("%s differs (-update writes it):\n%s", file, b.Bytes())
	}
}
