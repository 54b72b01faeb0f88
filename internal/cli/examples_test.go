package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

func TestEachCommandHasValidExamples(t *testing.T) {
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		if c.HasAvailableSubCommands() {
			for _, sub := range c.Commands() {
				if sub.Name() != "completion" && sub.Name() != "help" {
					check(sub)
				}
			}
			return
		}
		if c.Example == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), " >")
			root := newRoot(&base.Globals{})
			found, rest, err := root.Find(strings.Fields(line)[1:])
			if err == nil {
				err = found.ParseFlags(rest)
			}
			if err != nil || found.CommandPath() != c.CommandPath() {
				t.Errorf("example %q of %s is one of %s: %v", line, c.CommandPath(), found.CommandPath(), err)
			}
		}
	}
	check(newRoot(&base.Globals{}))
}

func TestCompletionOffersWhatIsThere(t *testing.T) {
	c := testkafka.Start(t, nil)
	all := clitest.Mixed()
	clitest.WriteEntries(t, c, all...)
	for line, want := range map[string]string{
		"produce ":                           "portfolio-updates",
		"produce trade-executions --sample ": "order.rejected",
		"channels test ":                     "desk",
		"channels preview ":                  "desk",
		"channels preview desk --rule ":      "margin-call",
		"dlq list --reason ":                 "undecodable",
		"dlq list --cause ":                  "payload-refused",
		"dlq list --rule ":                   "order-rejected",
		"dlq replay --to ":                   "desk",
		"dlq show ":                          all[8].ID + "\trecipient-refused forward-test-diverges",
		"dlq replay " + all[3].ID[:10]:       all[3].ID + "\tpayload-refused order-rejected",
		"topics list -o ":                    "python",
	} {
		args := append([]string{"__complete", "--brokers", c.Brokers[0], "--group", c.Group}, strings.Fields(line)...)
		if strings.HasSuffix(line, " ") {
			args = append(args, "")
		}
		a := clitest.Main(Run).Local(t, args...)
		if a.Code != base.ExitDone || !strings.Contains("\n"+a.Out, "\n"+want+"\n") {
			t.Errorf("%s: exit %d, lacks %q:\n%s%s", line, a.Code, want, a.Out, a.Err)
		}
	}
}

func TestCompletionOffersConfiguredSamples(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "notifier.yaml")
	for name, text := range map[string]string{
		file:                             "version: 1\nkafka: {brokers: [localhost:9092]}\nsamples: {trade-executions: [ours.jsonl]}\nchannels: {desk: {type: console}}\n",
		filepath.Join(dir, "ours.jsonl"): `{"event_type":"a"}` + "\n" + `{"event_type":"b"}` + "\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for topic, want := range map[topics.Name][2]string{ // what is offered, and what is not
		topics.TradeExecutions:  {"ours-1\nours-2\n", "order.rejected\n"},
		topics.PortfolioUpdates: {"risk.limit_breached\n", "ours-1\n"},
	} {
		a := clitest.Main(Run).Local(t, "__complete", "-c", file, "produce", string(topic), "--sample", "").Want(t, base.ExitDone)
		if !strings.Contains("\n"+a.Out, "\n"+want[0]) || strings.Contains("\n"+a.Out, "\n"+want[1]) {
			t.Errorf("%s: want %q and not %q:\n%s%s", topic, want[0], want[1], a.Out, a.Err)
		}
	}
}
