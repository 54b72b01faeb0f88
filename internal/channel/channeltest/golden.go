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
