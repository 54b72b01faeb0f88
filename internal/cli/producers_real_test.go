//go:build real

package cli

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// producersBlock returns the block of docs/producers.md in this language that
// holds a text.
func producersBlock(t *testing.T, info, holds string) string {
	t.Helper()
	for _, b := range blocks(t) {
		if b.file == "docs/producers.md" && b.info == info && strings.Contains(b.text, holds) {
			return b.text
		}
	}
	t.Fatalf("there is no block %s with %q", info, holds)
	return ""
}

// TestProducersInTheDocumentationRaiseTheAlert runs the examples of
// docs/producers.md: each puts its event where the Java client would, with the
// headers of CloudEvents, and the daemon raises the alert.
func TestProducersInTheDocumentationRaiseTheAlert(t *testing.T) {
	c := testkafka.Bare(t)
	shapes := kafka.Layout{Group: c.Group, Channels: []kafka.Channel{{Name: "hook", Partitions: 2}}, Partitions: 6}.Shapes(1, nil)
	c.Make(shapes...)
	hook := webhooktest.Start(t, "", nil)
	start(t, files(t, c, hookChannel("hook", hook.URL), strings.ReplaceAll(string(configs.Rules), "to: [desk]", "to: [hook]")))
	interpreter := python(t, "kafka-python", "aiokafka")

	// murmur2 as kgo computes it: the same keys, sent to the same topic.
	keys := map[string]string{"ses-41": "AAPL", "ses-42": "MSFT", "ses-43": "NVDA", "ses-44": "TSLA"}
	want := make(map[string]int32)
	for key := range keys {
		r := &kgo.Record{Topic: string(topics.TradeExecutions), Key: []byte(key), Value: []byte(`{}`)}
		c.Produce(r)
		want[key] = r.Partition
	}

	dir := t.TempDir()
	put(t, dir, "main.go", strings.ReplaceAll(producersBlock(t, "go", "kgo.NewClient"), "127.0.0.1:9092", c.Brokers[0]))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for name, args := range map[string][]string{
		"kafka-python": {interpreter, "-c", producersBlock(t, "python", "KafkaProducer")},
		"aiokafka":     {interpreter, "-c", producersBlock(t, "python", "AIOKafkaProducer")},
		"franz-go":     {"go", "run", filepath.Join(dir, "main.go")},
		"kcat":         {"bash", "-euo", "pipefail", "-c", producersBlock(t, "sh real", "kcat")},
	} {
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "127.0.0.1:9092", c.Brokers[0])
		}
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Dir, cmd.Env = "../..", os.Environ()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	requests := hook.Wait(30*time.Second, func(r []webhooktest.Request) bool { return len(r) >= len(keys) })
	for key, symbol := range keys {
		title, found := "Rejected: "+symbol+" buy 400 (insufficient buying power)", false
		for _, r := range requests {
			found = found || r.Title() == title
		}
		if !found {
			t.Errorf("%s: no alert %q", key, title)
		}
	}

	cl := c.Client(kgo.ConsumeTopics(string(topics.TradeExecutions)), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for seen := 0; seen < 2*len(keys); {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		for _, r := range fetches.Records() {
			seen++
			if r.Partition != want[string(r.Key)] {
				t.Errorf("%s is in partition %d, want %d", r.Key, r.Partition, want[string(r.Key)])
			}
			if string(r.Value) == `{}` {
				continue
			}
			headers := make(map[string]string)
			for _, h := range r.Headers {
				headers[h.Key] = string(h.Value)
			}
			if headers["ce_specversion"] != "1.0" || headers["ce_type"] != "order.rejected" || headers["ce_source"] != "/orders" || !strings.Contains(string(r.Value), headers["ce_id"]) || headers["ce_id"] == "" {
				t.Errorf("%s has the headers %v", r.Key, headers)
			}
		}
	}
}
