package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

const explainedRules = `version: 1
vars: {large: 50000}
defaults: {trade-executions: {where: 'event.mode != "paper"'}}
rules:
  - {name: large, topic: trade-executions, when: 'event.type == "fill" and event.notional > vars.large', throttle: 1h, key: [event.account], to: [hook], title: "{{ event.notional }}"}
  - {name: open, topic: trade-executions, when: 'event.type == "up"', clear: 'event.type == "down"', key: [event.account], to: [hook], title: "{{ event.account }} is up"}
`

// explained puts records into the first partition and has a daemon work through them. The
// function runs 'rules explain' with arguments and returns its JSON.
func explained(t *testing.T, values ...string) (c *testkafka.Cluster, dir string, explain func(args string) map[string]any) {
	t.Helper()
	c = testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 1}})
	hook := webhooktest.Start(t, "", nil)
	dir = files(t, c, fmt.Sprintf("  hook: {webhook: {url: %q}, partitions: 1}\n", hook.URL), explainedRules)
	producer := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for _, v := range values {
		r := &kgo.Record{Topic: string(topics.TradeExecutions), Value: []byte(v)}
		if v == "" {
			r.Value = nil
		}
		if err := producer.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	d := start(t, dir)
	settled(t, c)
	t.Cleanup(func() { d.stop() })
	return c, dir, func(args string) map[string]any {
		t.Helper()
		line := "-c " + dir + "/notifier.yaml rules explain -o json " + args
		return clitest.Main(Run).On(t, c, strings.Fields(line)...).Want(t, base.ExitDone).Objects(t)[0]
	}
}

// ruleOf returns what an explanation says of a rule, and of its channel.
func ruleOf(t *testing.T, o map[string]any, name string) (result, delivered, now string) {
	t.Helper()
	for _, r := range o["rules"].([]any) {
		r := r.(map[string]any)
		if r["rule"] != name {
			continue
		}
		result = r["result"].(string)
		for _, d := range r["deliveries"].([]any) {
			delivered += fmt.Sprint(d.(map[string]any)["decision"])
		}
		forecasts, _ := r["now"].([]any)
		for _, f := range forecasts {
			f := f.(map[string]any)
			now += fmt.Sprintf("%s: %s", f["decision"], f["why"])
		}
		return result, delivered, now
	}
	t.Fatalf("%v lacks rule %s", o, name)
	return "", "", ""
}

// TestExplainTellsWhatBecameOfAlerts: of records that the daemon has worked through.
func TestExplainTellsWhatBecameOfAlerts(t *testing.T) {
	alongside(t)
	stamp := time.Now().UTC().Format(time.RFC3339)
	fill := func(account string, notional int, more string) string {
		return fmt.Sprintf(`{"type":"fill","account":%q,"notional":"%d","occurred_at":%q%s}`, account, notional, stamp, more)
	}
	state := func(kind string) string {
		return fmt.Sprintf(`{"type":%q,"account":"A1","occurred_at":%q}`, kind, stamp)
	}
	c, dir, explain := explained(t,
		fill("A1", 60000, ""), fill("A1", 70000, ""), fill("A2", 12000, ""), `{"type":"fill","acc`, "", state("up"), state("up"), fill("A3", 90000, `,"mode":"paper"`))
	for _, x := range []struct {
		offset                    int
		rule                      string
		result, delivered, expect string
	}{
		{0, "large", "fires", "delivered", "throttled: an alert of its key"},
		{1, "large", "fires", "throttled", "throttled: an alert of its key"},
		{2, "large", "no", "", ""},
		{5, "open", "fires", "delivered", "throttled: its key has been firing since"},
		{6, "open", "fires", "throttled", "throttled: its key has been firing since"},
		{7, "large", "no", "", ""},
	} {
		result, delivered, now := ruleOf(t, explain(fmt.Sprintf("trade-executions/0@%d", x.offset)), x.rule)
		if result != x.result || delivered != x.delivered || !strings.HasPrefix(now, x.expect) || (x.expect == "") != (now == "") {
			t.Errorf("%d: %s %s, %s, %s", x.offset, x.rule, result, delivered, now)
		}
	}
	if o := explain("trade-executions/0@3"); o["cause"] != "truncated" || o["dead_letter"].(map[string]any)["state"] != "open" {
		t.Errorf("%v", o)
	}
	if o := explain("trade-executions/0@4"); !strings.Contains(o["problem"].(string), "it is a tombstone") {
		t.Errorf("%v", o)
	}
	// The same event again, from an alert and from a delivery, by beginnings of their ids.
	list := clitest.Main(Run).On(t, c, "alerts", "list", "-o", "json", "--decision", "delivered", "--rule", "large").Objects(t)
	for _, id := range []string{list[0]["alert"].(string), list[0]["delivery"].(string)} {
		o := explain("--alert " + id[:10])
		if event := o["event"].(map[string]any); event["offset"] != 0.0 || len(o["rules"].([]any)) != 1 {
			t.Errorf("%s: %v", id, o)
		}
		if a := o["rules"].([]any)[0].(map[string]any)["alert"].(map[string]any); a["id"] != list[0]["alert"] {
			t.Errorf("%v, want %s", a, list[0]["alert"])
		}
	}
	for offset, want := range map[int]string{0: `"title": "60000"`, 2: "the event does not raise large: its when is false: event.notional > vars.large", 4: "tombstone"} {
		line := fmt.Sprintf("-c %s/notifier.yaml channels preview hook --rule large --event trade-executions/0@%d", dir, offset)
		if a := clitest.Main(Run).On(t, c, strings.Fields(line)...); !strings.Contains(a.Out+a.Err, want) || (a.Code == base.ExitDone) != (offset == 0) {
			t.Errorf("%d: exit %d, %s%s", offset, a.Code, a.Out, a.Err)
		}
	}
	clitest.Main(Run).On(t, c, "silence", "add", "rule=large", "account=A2", "--for", "1h", "-m", "CHG-112").Want(t, base.ExitDone)
	for event, want := range map[string]string{
		fill("A2", 80000, ""):                         "silenced: silence sil_",
		fill("A5", 80000, ""):                         "sent: ",
		strings.Replace(state("down"), "A1", "A9", 1): "unneeded: no alert of its key is open here",
		state("down"):                                 "sent: it ends what fires since",
	} {
		path := t.TempDir()
		put(t, path, "event.json", event)
		name := "large"
		if strings.Contains(event, "down") {
			name = "open"
		}
		if _, _, now := ruleOf(t, explain("--topic trade-executions --event "+path+"/event.json"), name); !strings.HasPrefix(now, want) {
			t.Errorf("%s: %s, want %s", event, now, want)
		}
	}
}

// TestExplainSaysWhyNoRecordIsThere: deleted, not yet written, aborted, a marker, no partition.
func TestExplainSaysWhyNoRecordIsThere(t *testing.T) {
	alongside(t)
	c := testkafka.Start(t, nil)
	dir := files(t, c, "  desk: {console: {}}\n", "version: 1\nrules:\n  - {name: r, topic: trade-executions, when: event.n == 1, to: [desk], title: t}\n")
	write := func(end kgo.TransactionEndTry, more ...kgo.Opt) {
		t.Helper()
		p := c.Client(append(more, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
		if len(more) > 0 {
			if err := p.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.ProduceSync(t.Context(), &kgo.Record{Topic: string(topics.TradeExecutions), Value: []byte(`{"n":1}`)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if len(more) > 0 {
			if err := p.EndTransaction(t.Context(), end); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(kgo.TryAbort)                                    // 0
	write(kgo.TryAbort)                                    // 1
	write(kgo.TryAbort, kgo.TransactionalID("explained"))  // 2 and its marker, 3
	write(kgo.TryCommit, kgo.TransactionalID("explained")) // 4 and its marker, 5
	gone := make(kadm.Offsets)
	gone.AddOffset(string(topics.TradeExecutions), 0, 1, -1)
	if _, err := c.Admin.DeleteRecords(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	for place, want := range map[string]struct {
		code int
		text string
	}{
		"trade-executions/0@0":  {base.ExitFailed, "the log begins at offset 1: retention or a deletion removed this record"},
		"trade-executions/0@1":  {base.ExitDone, "r fires"},
		"trade-executions/0@2":  {base.ExitDone, "its transaction was aborted: the notifier does not read it, and no rule sees it"},
		"trade-executions/0@3":  {base.ExitDone, "it is the marker that ends a transaction, and no event"},
		"trade-executions/0@4":  {base.ExitDone, "r fires"},
		"trade-executions/0@6":  {base.ExitFailed, "the log ends at offset 6: this record is not written yet"},
		"trade-executions/99@0": {base.ExitFailed, "there is no such partition, the topic has "},
		"trade-execution/0@0":   {base.ExitMisused, "is not one of the topics"},
		"trade-executions/x":    {base.ExitMisused, "is not TOPIC/PARTITION@OFFSET"},
	} {
		a := clitest.Main(Run).On(t, c, "-c", dir+"/notifier.yaml", "rules", "explain", place)
		if text := clitest.Unfolded(a.Out + a.Err); a.Code != want.code || !strings.Contains(text, want.text) {
			t.Errorf("%s: exit %d, %s", place, a.Code, text)
		}
	}
	open := c.Client(kgo.TransactionalID("open"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := open.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := open.ProduceSync(t.Context(), &kgo.Record{Topic: string(topics.TradeExecutions), Value: []byte(`{"n":1}`)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	a := clitest.Main(Run).On(t, c, "-c", dir+"/notifier.yaml", "rules", "explain", "trade-executions/0@6").Want(t, base.ExitDone)
	if !strings.Contains(clitest.Unfolded(a.Out), "it is in an open transaction or behind one") {
		t.Error(a.Out)
	}
	if err := open.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
}
