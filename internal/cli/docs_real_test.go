//go:build real

package cli

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// TestCommandsForOtherClientsWork runs the blocks that need kcat, which
// scripts/test-real.sh installs.
func TestCommandsForOtherClientsWork(t *testing.T) { runBlocks(t, "sh real", 1) }

// python returns a Python with these packages, in an environment of its own.
func python(t *testing.T, packages ...string) string {
	t.Helper()
	env := filepath.Join(t.TempDir(), "venv")
	for _, args := range [][]string{{"python3", "-m", "venv", env}, append([]string{env + "/bin/pip", "install", "--quiet"}, packages...)} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	return env + "/bin/python"
}

// pythonBlock returns the Python of a document.
func pythonBlock(t *testing.T, file string) string {
	t.Helper()
	for _, b := range blocks(t) {
		if b.info == "python" && b.file == file {
			return b.text
		}
	}
	t.Fatalf("there is no Python in %s", file)
	return ""
}

// TestAReaderInAnotherLanguageReadsDeadLetters holds the record's format as
// docs/dlq.md has it: the Python there reads, and checks, what the daemon wrote.
func TestAReaderInAnotherLanguageReadsDeadLetters(t *testing.T) {
	c := testkafka.Start(t, nil)
	entries := clitest.Mixed()
	for i, e := range entries { // every kind of value and header there is
		s := &e.Envelope.Source
		s.Topic = string(topics.TradeExecutions)
		s.Value = [][]byte{nil, {}, []byte(`{"a":1}`), {0xff, 0x00}}[i%4]
		s.Key = [][]byte{nil, {}, []byte("k"), {0xfe}}[(i+1)%4]
		s.Headers = []kgo.RecordHeader{{Key: "h", Value: []byte{0xff}}, {Key: "h"}, {Key: "", Value: []byte{}}, {Key: "notifier.original-headers", Value: []byte("7")}}[:i%5]
	}
	clitest.WriteEntries(t, c, entries...)
	cl := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	gone := &kgo.Record{Topic: topics.DeadLetter(c.Group, topics.TradeExecutions), Key: []byte(entries[0].ID)}
	if err := cl.ProduceSync(t.Context(), gone).FirstErr(); err != nil {
		t.Fatal(err)
	}
	script := strings.NewReplacer("127.0.0.1:9092", c.Brokers[0], "notification-service.", c.Group+".").Replace(pythonBlock(t, "docs/dlq.md"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, python(t, "kafka-python", "python-snappy"), "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var want []string
	for _, e := range entries[1:] {
		s := e.Envelope.Source
		want = append(want, fmt.Sprintf("%s %s %s %s %s/%d@%d", e.ID, e.State, e.Reason, e.Cause, s.Topic, s.Partition, s.Offset))
	}
	got := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("it read\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
