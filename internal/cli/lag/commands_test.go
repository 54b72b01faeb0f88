package lag_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/cli"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
)

// lagSays runs notifier lag.
func lagSays(t *testing.T, c *testkafka.Cluster, args ...string) (code int, out, errs string) {
	t.Helper()
	a := command(t, c, append([]string{"lag"}, args...)...)
	return a.Code, a.Out, a.Err
}

func TestLagOfANamedGroup(t *testing.T) {
	c, group := clitest.UnreadGroup(t)
	code, out, errs := lagSays(t, c, group)
	if code != base.ExitDone || errs != "" {
		t.Errorf("it ends with %d: %s", code, errs)
	}
	for _, want := range []string{"!  " + group + "  Empty   0  trade-executions      3    3      1h\n", "   the group has no members\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("it shows\n%s\nand not\n%s", out, want)
		}
	}
	_, out, _ = lagSays(t, c, group, "--partitions")
	if !strings.Contains(out, "trade-executions/0          2    5    3      1h  –\n") {
		t.Errorf("by partition it shows\n%s", out)
	}
	code, out, errs = lagSays(t, c, group, group+"x")
	if code != base.ExitFailed || !strings.Contains(errs, "there is no group "+group+"x: did you mean "+group+"?") || !strings.Contains(out, "trade-executions") {
		t.Errorf("with a group that is not there it ends with %d: %s\n%s", code, errs, out)
	}
}

func TestLagAsJSON(t *testing.T) {
	c, group := clitest.UnreadGroup(t)
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
	text, err := os.ReadFile("../../../docs/lag.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
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
	c, group := clitest.UnreadGroup(t)
	for _, format := range []string{"text", "json"} {
		ctx, cancel := context.WithCancel(t.Context())
		out, code := clitest.NewLines(), make(chan int, 1)
		go func() {
			code <- cli.Run(ctx, []string{"lag", group, "--watch", "--interval", "1s", "-o", format, "--brokers", c.Brokers[0]}, base.Streams{In: strings.NewReader(""), Out: out, Err: clitest.NewLines()})
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

// TestLagChangesNothing: it is no member of any group and commits nothing.
func TestLagChangesNothing(t *testing.T) {
	if testkafka.Bare(t).Real() {
		t.Log("a real broker does not count requests")
		return
	}
	c, _ := clitest.UnreadGroup(t)
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
