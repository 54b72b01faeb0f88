package dlq_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rivo/uniseg"

	"github.com/algotrade/notifier/internal/cli"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

func TestListsFitEightyColumns(t *testing.T) {
	c := testkafka.Start(t, nil)
	clitest.WriteEntries(t, c, clitest.Mixed()...)
	for command, texts := range map[string][]string{
		"dlq list":   {"CAUSE", "payload-refused", "for nobody@example.com", "forward-test-", "risk-hook", "quarantined"},
		"dlq stats":  {"CAUSE", "payload-refused", "FINGERPRINT"},
		"rules list": {"forward-test-completed", `event.event_type in ["order.rejected", "order.denied"]`, "remind 1h · clear event.drawdown < vars.recovered"},
	} {
		t.Logf("%s\n%s", command, fitting(t, c, command, texts...))
	}
}

func TestListFitsWithLongOffsetsAndKeys(t *testing.T) {
	for _, cause := range []outcome.Cause{outcome.Pickle, outcome.Truncated, outcome.SeveralDocuments} {
		c := testkafka.Start(t, nil)
		e := clitest.Undecodable(1, topics.TradeExecutions)
		e.Cause, e.Envelope.Source.Offset, e.Envelope.Source.Key = cause, 98765432101, []byte("session-0123456789")
		clitest.WriteEntries(t, c, e)
		t.Logf("%s\n%s", cause, fitting(t, c, "dlq list", "CAUSE", string(cause), "open"))
	}
}

// TestLongListKeepsItsColumns: the first page sets the widths, a later one has longer
// reasons and causes.
func TestLongListKeepsItsColumns(t *testing.T) {
	c := testkafka.Start(t, nil)
	var entries []*dlq.Entry
	for n := range 120 {
		e := clitest.Undecodable(n, topics.TradeExecutions)
		if n < 60 { // the older ones, on a later page
			e.Cause, e.Reason = outcome.RecipientRefused, outcome.NoLongerRouted
		}
		entries = append(entries, e)
	}
	clitest.WriteEntries(t, c, entries...)
	var out, errs bytes.Buffer
	args := []string{"dlq", "list", "--brokers", c.Brokers[0], "--group", c.Group}
	if code := cli.Run(t.Context(), args, base.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}); code != base.ExitDone {
		t.Fatalf("%d: %s", code, errs.String())
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) < 121 {
		t.Fatalf("%d lines", len(lines))
	}
	for i, line := range lines {
		if n := uniseg.StringWidth(line); n > 100 {
			t.Errorf("line %d has %d columns: %s", i, n, line)
		}
	}
	at := strings.Index(lines[0], "STATE")
	for _, line := range lines[1:] {
		if !strings.HasPrefix(string([]rune(line)[at:]), "open") {
			t.Errorf("its columns are not those of the head:\n%s\n%s", lines[0], line)
		}
	}
}

// fitting returns what a command shows, texts among it, in 80 columns.
func fitting(t *testing.T, c *testkafka.Cluster, command string, texts ...string) string {
	t.Helper()
	terminal, out := clitest.OpenTerminal(t)
	terminal.Resize(80, 24)
	errs := clitest.NewLines()
	args := append(strings.Fields(command), "--brokers", c.Brokers[0], "--group", c.Group)
	if code := cli.Run(t.Context(), args, base.Streams{In: strings.NewReader(""), Out: out, Err: errs}); code != base.ExitDone {
		t.Fatalf("%s: %d: %s", command, code, errs)
	}
	testkafka.Eventually(t, 10*time.Second, command+" is shown", func() bool {
		return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(terminal.Screen.String(), text) })
	})
	screen := strings.ReplaceAll(terminal.Screen.String(), "\r\n", "\n")
	for line := range strings.Lines(screen) {
		if n := uniseg.StringWidth(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("%s: a line has %d columns: %s", command, n, line)
		}
	}
	return screen
}
