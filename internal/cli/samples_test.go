package cli

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

const realFill = `{"event_id":"01KXYZ","event_type":"order.filled","occurred_at":"2026-09-14T09:12:44.5Z","account_id":"PRIV-77120","client":"Jane Doe",` +
	`"mode":"live","side":"SELL","currency":"CHF","notional":"81250.25","last_qty":"0","legs":[{"symbol":"NESN","qty":650},{"symbol":"ROG","qty":650}]}`

// withRecord starts a cluster whose first partition of trades has one record.
func withRecord(t *testing.T, value []byte) *testkafka.Cluster {
	t.Helper()
	c := testkafka.Start(t, nil)
	producer := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: string(topics.TradeExecutions), Value: value}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSampleIsKeptBesideThoseOfItsTopic: in a new directory, which the message says
// how to configure; then, configured, beside the first; and in the lines of a file. 'rules
// check' and 'produce' know it.
func TestSampleIsKeptBesideThoseOfItsTopic(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed) // read as the daemon does
	if _, err := z.Write([]byte(realFill)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	c := withRecord(t, packed.Bytes())
	dir := t.TempDir()
	file := filepath.Join(dir, "notifier.yaml")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("rules.yaml", string(configs.Rules))
	const channels = "channels: {desk: {console: {}}}\n"
	write("notifier.yaml", channels)
	run := func(line string) clitest.Answer {
		t.Helper()
		return clitest.Main(Run).On(t, c, append(strings.Fields(line), "-c", file)...)
	}
	const add = "samples add trade-executions/0@0 --yes"
	first := run(add+" --keep legs.symbol").Want(t, base.ExitDone, "order.filled", "live", "SELL", "CHF", "NESN, ROG", "rules: large-fill, as the event", "samples: { trade-executions: [samples/trade-executions] }")
	kept, err := os.ReadFile(filepath.Join(dir, "samples", "trade-executions", "order.filled.json"))
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(kept, &doc); err != nil || !strings.Contains(first.Out, string(kept)) {
		t.Fatalf("%v %s", err, kept)
	}
	for _, secret := range []string{"01KXYZ", "PRIV", "77120", "Jane", "Doe", "81250", "650", "2026-09-14"} {
		if strings.Contains(string(kept), secret) {
			t.Errorf("the sample has %s:\n%s", secret, kept)
		}
	}
	if doc["occurred_at"] != "2026-11-23T14:31:05.5Z" || doc["last_qty"] != "0" || len(doc["client"].(string)) != len("Jane Doe") {
		t.Errorf("%s", kept)
	}

	write("notifier.yaml", channels+"samples: { trade-executions: [samples/trade-executions, lines.jsonl] }\n")
	run(add).Want(t, base.ExitDone, "has the sample order.filled-2")
	run(add+" --file "+filepath.Join(dir, "lines.jsonl")).Want(t, base.ExitDone, "has the sample lines-1")
	run(add+" --file "+filepath.Join(dir, "lines.jsonl")).Want(t, base.ExitDone, "has the sample lines-2")
	run(add+" --file "+filepath.Join(dir, "extra.jsonl")).Want(t, base.ExitDone, "write in "+file+" under samples:\n  trade-executions: [samples/trade-executions, lines.jsonl, extra.jsonl]\n")
	run(add+" --name order.filled").Want(t, base.ExitFailed, "file already exists: use another --name")
	run("rules check").Want(t, base.ExitDone, "is valid")
	run("produce trade-executions --dry-run --sample lines-2").Want(t, base.ExitDone, "1 record accepted")
}

func TestSampleIsNotKeptWithoutConsent(t *testing.T) {
	c := withRecord(t, []byte(realFill))
	dir := t.TempDir()
	t.Chdir(dir)
	run := func(line string) clitest.Answer { return clitest.Main(Run).On(t, c, strings.Fields(line)...) }
	run("samples add trade-executions/0@0").Want(t, base.ExitMisused, "cannot ask for confirmation")
	run("samples add trade-executions/0@0 --dry-run").Want(t, base.ExitDone, `"event_type": "order.filled"`, "nothing was done")
	run("samples add trade-executions/0@0 --dry-run --keep legs.price").Want(t, base.ExitMisused, "the event has no legs.price")
	run("samples add trade-executions/0@9 --yes").Want(t, base.ExitFailed, "the log ends at offset 1")
	run("samples add trade-executions --yes").Want(t, base.ExitMisused, "is not TOPIC/PARTITION@OFFSET")
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Error(err, left)
	}
}
