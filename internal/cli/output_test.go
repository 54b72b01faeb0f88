package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// printing are invocations of each command that print, without effects; nil: it prints
// on standard error only, or runs until it is interrupted.
var printing = map[string][]string{
	"dev": nil, "run": nil, "dlq watch": nil, "produce": nil, "dlq import": nil, "channels move": nil, "samples add": {"trade-executions/0@0 --dry-run"}, "dlq discard": nil, "alerts tail": nil, "alerts resend": nil,
	"topics list": {"", "-o json", "-o env", "-o python", "-o go", "-o ts"}, "topics check": {"", "-o json"}, "topics create": {"--dry-run", "--dry-run -o json"},
	"rules check": {"-o json", "-o sarif"}, "config check": {"-o json", "-o sarif"}, "config schema": {"", "rules", "tests -o json"},
	"rules list":     {"", "-o json"},
	"rules explain":  {"--event ../../configs/samples/trade-executions/order.rejected.json", "--event ../../configs/samples/trade-executions/order.rejected.json -o json"},
	"rules test":     {"", "--coverage", "-o json", "-o junit"},
	"rules backtest": {"", "-o json"},
	"config show":    {"", "-o json"},
	"alerts list":    {"", "-o json"}, "silence add": {"rule=x --for 1h -m x", "rule=x --for 1h -m x -o json"}, "silence list": {"", "-o json"}, "silence expire": nil,
	"alerts show": {"al_2222", "al_2222 -o json"},
	"dlq stats":   {"", "-o json"}, "dlq list": {"", "-o json"}, "dlq show": {"re_", "re_ -o json", "re_ --payload"}, "dlq replay": {"--all --dry-run"}, "dlq export": {""},
	"channels list": {"", "-o json"}, "channels preview": {"desk --rule margin-call", "desk --rule margin-call -o json"}, "channels test": {"--all", "--all --no-send", "--all -o json"},
	"lag": {"", "-o json"}, "health": {"-o json"}, "doctor": {"", "-o json"}, "version": {"", "-o json"},
	"completion bash": {""}, "completion zsh": {""}, "completion fish": {""}, "completion powershell": {""}, "help": {"", "dlq"},
}

// TestUnwrittenOutputIsFailure runs every command on a full disk.
func TestUnwrittenOutputIsFailure(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full here")
	}
	defer full.Close()
	c := testkafka.Start(t, []kafka.Channel{{Name: "desk", Partitions: 1}})
	clitest.WriteEntries(t, c, clitest.Undecodable(1, "trade-executions"))
	delivered := deliverylog.New(&envelope.Envelope{
		Delivery: "dl_" + strings.Repeat("2", 26), Channel: "desk", Source: envelope.Source{Topic: "trade-executions"},
		Alert: &alert.Alert{ID: "al_" + strings.Repeat("2", 26), Rule: "order-rejected", Severity: alert.Warning, EventTime: time.Now()},
	})
	delivered.Decision, delivered.Ended, delivered.Received = deliverylog.Delivered, time.Now(), time.Now()
	value, err := json.Marshal(delivered)
	if err != nil {
		t.Fatal(err)
	}
	c.Produce(&kgo.Record{Topic: "trade-executions", Value: []byte("{}")})
	c.Produce(&kgo.Record{Topic: topics.Deliveries(c.Group), Key: []byte(delivered.Alert), Value: value})
	event := &kgo.Record{Topic: "trade-executions", Value: []byte(`{"event_type":"order.filled"}`)}
	if err := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner())).ProduceSync(t.Context(), event).FirstErr(); err != nil {
		t.Fatal(err)
	}
	offsets := make(kadm.Offsets)
	offsets.AddOffset("trade-executions", 0, 0, -1)
	if err := c.Admin.CommitAllOffsets(t.Context(), c.Group, offsets); err != nil {
		t.Fatal(err)
	}
	config, err := filepath.Abs("../../configs/notifier.yaml")
	if err != nil {
		t.Fatal(err)
	}
	fails := func(line string) {
		t.Helper()
		args := append(strings.Fields(line), "-c", config, "--brokers", strings.Join(c.Brokers, ","), "--group", c.Group)
		var out, words bytes.Buffer
		Run(t.Context(), args, base.Streams{In: strings.NewReader(""), Out: &out, Err: &words})
		if out.Len() == 0 {
			t.Errorf("notifier %s prints nothing: %s", line, words.String())
			return
		}
		words.Reset()
		code := Run(t.Context(), args, base.Streams{In: strings.NewReader(""), Out: full, Err: &words})
		if code != base.ExitFailed || !strings.Contains(words.String(), "cannot write the output: no space left on device") {
			t.Errorf("notifier %s: exit %d, want %d\n%s", line, code, base.ExitFailed, words.String())
		}
	}
	fails("--version")
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		_, name, _ := strings.Cut(cmd.CommandPath(), " ")
		fails(name + " --help")
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() || sub.Name() == "help" {
				walk(sub)
			}
		}
		lines, listed := printing[name]
		if !listed && !cmd.HasSubCommands() {
			t.Errorf("%s is not in the table", name)
		}
		for _, line := range lines {
			fails(name + " " + line)
		}
	}
	walk(newRoot(&base.Globals{}))
}
