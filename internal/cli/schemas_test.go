package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// orders is a schema whose n has a type.
const orders = `{"required": ["alert"], "properties": {"n": {"type": %q}, "leg1": {"type": "object"}, "leg2": {"type": "object"}}}`

// withOrders has events of trade-executions checked against orders.
const withOrders = "events: {trade-executions: {schema: {file: orders.json, mode: %s}}}\n"

func TestRejectedEventIsDeliveredOnceSchemaIsCorrected(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	dir := files(t, c, hookChannel("hook", hook.URL)+fmt.Sprintf(withOrders, "reject"), fmt.Sprintf(every, "hook"))
	schema := filepath.Join(dir, "orders.json")
	replaceFile(t, schema, fmt.Sprintf(orders, "string"))
	d := start(t, dir)
	order := func(doc string) *kgo.Record {
		return &kgo.Record{Topic: string(topics.TradeExecutions), Key: []byte("k"), Value: []byte(doc)}
	}
	c.Produce(order(`{"alert":true,"n":48151,"k":"k"}`), order(`{"alert":false,"n":48152}`), order(`{"alert":true,"leg1":1}`), order(`{"alert":true,"leg2":1}`), order(`{}`),
		order(`{"alert":true,"n":"7","k":"k"}`), &kgo.Record{Topic: string(topics.PortfolioUpdates), Value: []byte(`{"alert":true,"n":8,"k":"k"}`)})
	got(t, hook, 2, 20*time.Second)
	become(t, c, map[dlq.State]int{dlq.Open: 5})
	var wrong []*dlq.Entry
	for _, e := range clitest.DeadLetters(t, c) {
		if e.Cause != outcome.Schema || e.Reason != outcome.Undecodable || strings.Contains(e.Detail, "4815") {
			t.Errorf("a dead letter with %s, %s: %s", e.Reason, e.Cause, e.Detail)
		}
		if strings.HasPrefix(e.Detail, "n violates type: a number instead of a string") {
			wrong = append(wrong, e)
		}
	}
	if len(wrong) != 2 {
		t.Fatalf("%d entries of n", len(wrong))
	}
	groups := command(t, c, "dlq", "stats", "--cause", "schema", "-o", "json").Want(t, base.ExitDone).Objects(t)
	counts := make(map[string]any)
	for _, g := range groups {
		counts[g["detail"].(string)] = g["count"]
	}
	for detail, n := range map[string]float64{"n violates type: a number instead of a string": 2, "leg1 violates type: a number instead of an object": 1, "leg2 violates type: a number instead of an object": 1, "alert violates required: it is missing": 1} {
		if counts[detail] != n {
			t.Errorf("groups %v: want %v of %s", counts, n, detail)
		}
	}
	command(t, c, "dlq", "list", "--cause", "schema").Want(t, base.ExitDone, "leg1 violates type: a number instead of an object")
	command(t, c, "dlq", "show", wrong[0].ID).Want(t, base.ExitDone, "the event violates the schema of its topic", "n violates type: a number instead of a string")

	replaceFile(t, schema, `{"properties": {"n": {"type": "numeric"}}}`)
	d.err.Wait(t, 20*time.Second, "orders.json:1:31: /properties/n/type: value must be one of", "the rules that were read before stay in force")
	replaceFile(t, schema, fmt.Sprintf(orders, "number"))
	d.err.Wait(t, 20*time.Second, `"msg":"rules reloaded"`)
	ask(t, c, requests(wrong, nil)...)
	hook.Wait(20*time.Second, func(list []webhooktest.Request) bool {
		return len(list) == 3 && list[2].Title() == "48151"
	})
	become(t, c, map[dlq.State]int{dlq.Open: 3, dlq.Resolved: 2})
	c.Produce(order(`{"alert":true,"n":"9","k":"k"}`))
	become(t, c, map[dlq.State]int{dlq.Open: 4, dlq.Resolved: 2})
}

func TestViolationsOfWarningSchemaAreCounted(t *testing.T) {
	alongside(t)
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	dir := files(t, c, hookChannel("hook", hook.URL)+fmt.Sprintf(withOrders, "warn"), fmt.Sprintf(every, "hook"))
	replaceFile(t, filepath.Join(dir, "orders.json"), fmt.Sprintf(orders, "string"))
	d := start(t, dir)
	c.Produce(alerting(topics.TradeExecutions, "k", 48151, 3)...)
	c.Produce(&kgo.Record{Topic: string(topics.TradeExecutions), Value: []byte(`{"alert":false,"n":48154}`)})
	got(t, hook, 3, 20*time.Second)
	settled(t, c)
	if _, body := d.get("/metrics"); !strings.Contains(body, `notifier_schema_violations_total{topic="trade-executions"} 4`) {
		t.Error("the violations are not counted")
	}
	d.err.Wait(t, 5*time.Second, `"msg":"event violates the schema of its topic"`, `"path":"n","keyword":"type","detail":"a number instead of a string"`)
	if n := strings.Count(d.err.String(), "event violates"); n != 1 {
		t.Errorf("%d lines are logged", n)
	}
}

func TestProduceChecksAgainstSchema(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"orders.json":  fmt.Sprintf(orders, "string"),
		"events.jsonl": `{"alert":true,"n":"1"}` + "\n" + `{"alert":true,"n":48151}` + "\n" + `{"alert":true,"n":48152}` + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(dir, "notifier.yaml")
	args := []string{"produce", "trade-executions", "--dry-run", "-c", config, "-f", filepath.Join(dir, "events.jsonl")}
	write := func(mode string) {
		replaceFile(t, config, "channels: {desk: {console: {}}}\n"+fmt.Sprintf(withOrders, mode))
	}
	write("warn")
	a := local(t, args...).Want(t, base.ExitDone, "line 2: warning: schema: n violates type: a number instead of a string", "3 records accepted")
	if strings.Contains(a.Err, "line 3") || strings.Contains(a.Err, "4815") {
		t.Errorf("it repeats itself, or shows a value: %s", a.Err)
	}
	write("reject")
	local(t, args...).Want(t, base.ExitFailed, "line 2: schema: n violates type: a number instead of a string", "(1 accepted before)")
	local(t, append(args, "--raw")...).Want(t, base.ExitDone, "3 records accepted")
	replaceFile(t, filepath.Join(dir, "orders.json"), `{"type": 1}`)
	local(t, args...).Want(t, base.ExitFailed, "the schema orders.json has a fault: see 'config check', or use --raw")
}
