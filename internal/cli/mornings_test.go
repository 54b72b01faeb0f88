package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/channel/email/smtptest"
	"github.com/algotrade/notifier/internal/channel/slack/slacktest"
	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// night is what went wrong before the mornings of docs/dlq.md: how many dead
// letters of each cause.
type night struct{ fills, mails, margins, truncated, pickled int }

func (n night) total() int { return n.fills + n.mails + n.margins + n.truncated + n.pickled }

const nightRules = `
version: 1
rules:
  - {name: large-fill, topic: trade-executions, when: event.event_type == "order.filled", key: [event.symbol], to: [risk-hook], title: "Large fill {{ event.symbol }} {{ event.n }}"}
  - {name: order-rejected, topic: trade-executions, when: event.event_type == "order.rejected", key: [event.symbol], to: [desk-mail], title: "Rejected {{ event.symbol }} {{ event.n }}"}
  - {name: margin-call, topic: portfolio-updates, when: event.event_type == "margin.call", key: [event.account_id], to: [desk-slack], title: "Margin {{ event.account_id }} {{ event.n }}"}
`

// TestRunbookScenarios makes dead letters of five causes as an operator
// would meet them, and then does what the runbook says, with the commands that
// stand there. On a real cluster they are ten thousand.
func TestRunbookScenarios(t *testing.T) {
	n := night{fills: 40, mails: 20, margins: 20, truncated: 30, pickled: 30}
	if testkafka.Bare(t).Real() {
		n = night{fills: 4000, mails: 1000, margins: 1000, truncated: 2000, pickled: 2000}
	}
	c := testkafka.Start(t, []kafka.Channel{{Name: "risk-hook", Partitions: 6}, {Name: "desk-mail", Partitions: 1}, {Name: "desk-slack", Partitions: 3}})
	hook, chat := webhooktest.Start(t, "", refuses), slacktest.Start(t, nil)
	chat.Refuse(func(text string) string {
		if strings.Contains(text, "BAD") {
			return "invalid_blocks"
		}
		return ""
	})
	var gone atomic.Bool
	gone.Store(true)
	mail := smtptest.Start(t, smtptest.Config{Rcpt: func(to string) error {
		if gone.Load() && strings.HasPrefix(to, "risk@") {
			return smtptest.Reply(550, "5.1.1", "No such mailbox")
		}
		return nil
	}})
	t.Setenv("TEST_SLACK_TOKEN", slacktest.Token)
	dir := files(t, c, fmt.Sprintf(`
  risk-hook: {webhook: {url: %q}, concurrency: 16}
  desk-mail: {email: {server: %q, from: alerts@example.com, to: [desk@example.com, risk@example.com], tls: none, connections: 4}, concurrency: 4, digest: off}
  desk-slack: {slack: {token: env:TEST_SLACK_TOKEN, channel: %s, api: %q}, pace: {rate: 5000/s, burst: 100}, concurrency: 8, digest: off}`,
		hook.URL, mail.Addr, slacktest.Channel, chat.API()), nightRules)
	start(t, dir)

	c.Produce(n.events()...)
	become(t, c, map[dlq.State]int{dlq.Open: n.total()})
	settled(t, c) // the good ones too
	want := map[string]int{
		"payload-refused risk-hook large-fill": n.fills, "recipient-refused desk-mail order-rejected": n.mails,
		"payload-refused desk-slack margin-call": n.margins, "truncated  ": n.truncated, "pickle  ": n.pickled,
	}
	if got := groups(t, dir); !equal(got, want) {
		t.Errorf("stats shows %v, want %v", got, want)
	}

	// What was wrong is fixed; then the runbook.
	hook.SetAnswer(nil)
	chat.Refuse(nil)
	gone.Store(false)
	mails, posts, messages := len(mail.Mails()), len(hook.Requests()), len(chat.Messages())
	out := runMornings(t, c, dir)

	// The account adds up to the last entry.
	become(t, c, map[dlq.State]int{dlq.Resolved: n.fills + n.mails + n.margins + 1, dlq.Discarded: n.truncated - 1 + n.pickled})
	if left := groups(t, dir); len(left) != 0 {
		t.Errorf("stats still shows %v", left)
	}
	if got := len(hook.Requests()) - posts; got != n.fills {
		t.Errorf("%d replays were posted, want %d", got, n.fills)
	}
	if got := len(chat.Messages()) - messages; got != n.margins {
		t.Errorf("%d replays are in Slack, want %d", got, n.margins)
	}
	late := mail.Mails()[mails:]
	if len(late) != n.mails+1 { // and the repaired one, to everybody
		t.Errorf("%d mails were sent, want %d", len(late), n.mails+1)
	}
	for _, m := range late {
		if !slices.Equal(m.To, []string{"risk@example.com"}) && !bytes.Contains(m.Data, []byte("NVDA")) {
			t.Errorf("a replay goes to %v, who have got it already", m.To)
		}
	}
	pickled, err := os.ReadFile(filepath.Join(dir, "pickled.jsonl"))
	if err != nil || bytes.Count(pickled, []byte("\n")) != n.pickled {
		t.Errorf("%d entries were exported, %v", bytes.Count(pickled, []byte("\n")), err)
	}
	if !strings.Contains(out, ": sent again by the producer") && !strings.Contains(out, ": not events: see the ticket") {
		t.Errorf("the list of what was discarded does not say why:\n%s", out)
	}
	settled(t, c)
}

// events are the night's: the bad ones among good ones.
func (n night) events() []*kgo.Record {
	var records []*kgo.Record
	add := func(topic topics.Name, key string, format string, args ...any) {
		records = append(records, &kgo.Record{Topic: string(topic), Key: []byte(key), Value: fmt.Appendf(nil, format, args...)})
	}
	for i := range n.fills {
		add(topics.TradeExecutions, fmt.Sprint("f", i%8), `{"event_type":"order.filled","symbol":"BAD","n":%d}`, i)
		add(topics.TradeExecutions, fmt.Sprint("f", i%8), `{"event_type":"order.filled","symbol":"AAPL","n":%d}`, i)
	}
	for i := range n.mails {
		add(topics.TradeExecutions, fmt.Sprint("m", i%8), `{"event_type":"order.rejected","symbol":"TSLA","n":%d}`, i)
	}
	for i := range n.margins {
		add(topics.PortfolioUpdates, fmt.Sprint("c", i%8), `{"event_type":"margin.call","account_id":"BAD-%d","n":%d}`, i, i)
		add(topics.PortfolioUpdates, fmt.Sprint("c", i%8), `{"event_type":"margin.call","account_id":"ACC-%d","n":%d}`, i, i)
	}
	for i := range n.truncated {
		add(topics.TradeExecutions, fmt.Sprint("t", i), `{"event_type":"order.rejected","n":%d,"reason":"insuff`, i)
	}
	for i := range n.pickled {
		records = append(records, &kgo.Record{Topic: string(topics.ForwardTestEvents), Value: fmt.Appendf([]byte("\x80\x04\x95"), "object %d", i)})
	}
	return records
}

// groups returns what `dlq stats` says: how many entries by cause, channel and
// rule.
func groups(t *testing.T, dir string) map[string]int {
	t.Helper()
	var out, err bytes.Buffer
	if code := Run(t.Context(), []string{"dlq", "stats", "-o", "json", "-c", filepath.Join(dir, "notifier.yaml")}, base.Streams{In: strings.NewReader(""), Out: &out, Err: &err}); code != base.ExitDone {
		t.Fatalf("dlq stats ends with %d: %s", code, err.String())
	}
	have := make(map[string]int)
	for lines := bufio.NewScanner(&out); lines.Scan(); {
		var g struct {
			Cause, Channel string
			Rules          []string
			Count          int
		}
		if err := json.Unmarshal(lines.Bytes(), &g); err != nil {
			t.Fatalf("%v in %s", err, lines.Text())
		}
		have[g.Cause+" "+g.Channel+" "+strings.Join(g.Rules, " ")] += g.Count
	}
	return have
}

func equal(a, b map[string]int) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

// runMornings runs the runbook's blocks in their order and returns what the
// last one printed.
func runMornings(t *testing.T, c *testkafka.Cluster, dir string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nexport %s=1\nexec %q \"$@\"\n", asMain, exe)
	if err := os.WriteFile(filepath.Join(bin, "notifier"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	ran, last := 0, ""
	for _, b := range blocks(t) {
		if b.info != "sh mornings" {
			continue
		}
		ran++
		began := time.Now()
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", b.text)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "KAFKA_BOOTSTRAP_SERVERS="+c.Brokers[0],
			"KAFKA_GROUP_ID_NOTIFICATIONS="+c.Group, "NOTIFIER_CONFIG="+filepath.Join(dir, "notifier.yaml"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s:%d: %v\n%s\n%s", b.file, b.line, err, b.text, out)
		}
		last = string(out)
		t.Logf("%s:%d took %s\n%s", b.file, b.line, time.Since(began).Round(time.Millisecond), tail(last))
	}
	if ran < 7 {
		t.Errorf("the runbook has only %d blocks", ran)
	}
	return last
}

// tail is the end of a long text.
func tail(s string) string {
	if len(s) > 3000 {
		return "…" + s[len(s)-3000:]
	}
	return s
}
