package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rivo/uniseg"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// lagSays runs notifier lag.
func lagSays(t *testing.T, c *testkafka.Cluster, args ...string) (code int, out, errs string) {
	t.Helper()
	a := command(t, c, append([]string{"lag"}, args...)...)
	return a.Code, a.Out, a.Err
}

// commitAt commits an offset of trade-executions for a group that nobody is in.
func commitAt(t *testing.T, c *testkafka.Cluster, group string, partition int32, at int64) {
	t.Helper()
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: string(topics.TradeExecutions), Partition: partition, At: at, LeaderEpoch: -1})
	if err := c.Admin.CommitAllOffsets(t.Context(), group, offsets); err != nil {
		t.Fatal(err)
	}
}

// waiting puts records an hour old into trade-executions/0, of which a group
// has not read the last three.
func waiting(t *testing.T) (c *testkafka.Cluster, group string) {
	t.Helper()
	c = testkafka.Start(t, one("desk", 1))
	group = c.Group + "-orders"
	old := time.Now().Add(-time.Hour)
	var records []*kgo.Record
	for range 5 {
		records = append(records, &kgo.Record{Topic: string(topics.TradeExecutions), Timestamp: old, Value: []byte("{}")})
	}
	if err := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner())).ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	commitAt(t, c, group, 0, 2)
	return c, group
}

func TestLagOfANamedGroup(t *testing.T) {
	c, group := waiting(t)
	code, out, errs := lagSays(t, c, group)
	if code != base.ExitDone || errs != "" {
		t.Errorf("it ends with %d: %s", code, errs)
	}
	for _, want := range []string{"!  " + group + "  Empty   0  trade-executions      3    3      1h\n", "   nobody is in the group\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("it shows\n%s\nand not\n%s", out, want)
		}
	}
	_, out, _ = lagSays(t, c, group, "--partitions")
	if !strings.Contains(out, "trade-executions/0          2    5    3      1h  nobody\n") {
		t.Errorf("by partition it shows\n%s", out)
	}
	code, out, errs = lagSays(t, c, group, group+"x")
	if code != base.ExitFailed || !strings.Contains(errs, "there is no group "+group+"x: did you mean "+group+"?") || !strings.Contains(out, "trade-executions") {
		t.Errorf("with a group that is not there it ends with %d: %s\n%s", code, errs, out)
	}
}

func TestLagOfOurGroupsAndThoseConfigured(t *testing.T) {
	c, group := waiting(t)
	dir := files(t, c, "  desk: {console: {}}\nlag: {groups: ["+group+", nobody-at-all]}\n", fmt.Sprintf(every, "desk"))
	_, out, errs := lagSays(t, c, "-c", filepath.Join(dir, "notifier.yaml"))
	for _, want := range []string{"there is no group " + c.Group + ": no notifier has run in it", "there is no group nobody-at-all, which lag.groups names"} {
		if !strings.Contains(errs, want) {
			t.Errorf("it does not say %q but\n%s", want, errs)
		}
	}
	if !strings.Contains(out, group) || strings.Contains(out, c.Group+" ") {
		t.Errorf("before a notifier has run it shows\n%s", out)
	}
	d := start(t, dir)
	testkafka.Eventually(t, 20*time.Second, "lag shows both groups and what they read", func() bool {
		_, out, errs = lagSays(t, c, "-c", filepath.Join(dir, "notifier.yaml"))
		for _, want := range []string{c.Group + " ", topics.OutboxGroup(c.Group), topics.Outbox(c.Group, "desk"), topics.Replay(c.Group), "trade-executions", group} {
			if !c.Real() && !strings.Contains(out, want) { // a real cluster's group has too long a name
				return false
			}
		}
		return strings.Count(errs, "there is no group") == 1
	})
	for line := range strings.Lines(out) {
		if w := uniseg.StringWidth(line); w > 101 {
			t.Errorf("a line is %d columns wide: %s", w, line)
		}
	}
	// The daemon measures the same.
	want := fmt.Sprintf(`notifier_consumer_lag_records{group=%q,partition="0",topic="trade-executions"}`, group)
	testkafka.Eventually(t, 20*time.Second, "the daemon has looked", func() bool { return d.metric(want) == "3" })
}

func TestLagForPrograms(t *testing.T) {
	c, group := waiting(t)
	code, out, _ := lagSays(t, c, group, "-o", "json")
	var o struct {
		Group, Mark string
		Topic       *string
		Lag         *int64
		LagSeconds  *float64 `json:"lag_seconds"`
		Partitions  []struct {
			ClientID  *string `json:"client_id"`
			Committed *int64
		}
	}
	if err := json.Unmarshal([]byte(out), &o); err != nil || code != base.ExitDone {
		t.Fatalf("%v, exit code %d:\n%s", err, code, out)
	}
	if o.Group != group || o.Topic == nil || *o.Topic != "trade-executions" || o.Lag == nil || *o.Lag != 3 || o.LagSeconds == nil || *o.LagSeconds < 3500 ||
		o.Mark != "bad" || len(o.Partitions) != 3 || *o.Partitions[0].Committed != 2 || o.Partitions[1].Committed != nil || o.Partitions[0].ClientID != nil {
		t.Errorf("%s", out)
	}
	page := document(t, "docs/lag.md")
	var fields map[string]any
	if err := json.Unmarshal([]byte(out), &fields); err != nil {
		t.Fatal(err)
	}
	parts := fields["partitions"].([]any)
	for _, object := range []map[string]any{fields, parts[0].(map[string]any)} {
		for name := range object {
			if !strings.Contains(page, "`"+name+"`") {
				t.Errorf("docs/lag.md does not explain the field %s", name)
			}
		}
	}
}

// TestLagWatchesWithoutATerminal: rows with their time, or objects, for each
// look, until it is stopped; which is no failure.
func TestLagWatchesWithoutATerminal(t *testing.T) {
	c, group := waiting(t)
	for _, format := range []string{"text", "json"} {
		ctx, cancel := context.WithCancel(t.Context())
		out, code := clitest.NewLines(), make(chan int, 1)
		go func() {
			code <- run(ctx, []string{"lag", group, "--watch", "--interval", "1s", "-o", format, "--brokers", c.Brokers[0]}, base.Streams{In: strings.NewReader(""), Out: out, Err: clitest.NewLines()})
		}()
		testkafka.Eventually(t, 20*time.Second, "it has looked twice", func() bool { return strings.Count(out.String(), group) >= 2 })
		cancel()
		if got := <-code; got != base.ExitDone {
			t.Errorf("stopped it ends with %d", got)
		}
		if strings.Contains(out.String(), "\x1b") {
			t.Errorf("it draws:\n%q", out)
		}
	}
}

// TestLagOnlyLooks: it is no member of any group and commits nothing.
func TestLagOnlyLooks(t *testing.T) {
	if testkafka.Bare(t).Real() {
		t.Log("a real broker does not count requests")
		return
	}
	c, _ := waiting(t)
	touched := c.Fake().Fault(kfake.Fault{
		Keys:  []kmsg.Key{kmsg.JoinGroup, kmsg.OffsetCommit, kmsg.ConsumerGroupHeartbeat, kmsg.CreateTopics, kmsg.Produce, kmsg.InitProducerID},
		Count: -1, Observe: true,
	})
	for _, args := range [][]string{{}, {"--all"}, {"--all", "--partitions"}} {
		if code, _, errs := lagSays(t, c, args...); code != base.ExitDone {
			t.Errorf("%v ends with %d: %s", args, code, errs)
		}
	}
	if n := touched.Hits(); n != 0 {
		t.Errorf("it sent %d requests that change something", n)
	}
}

// document returns a document of the repository.
func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
