package cli

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// TestCommandsReadAvroAsDaemonDoes: they fetch the schema of a record. While the registry does
// not answer they fail, and call the record no dead letter.
func TestCommandsReadAvroAsDaemonDoes(t *testing.T) {
	alongside(t)
	registry := srfake.New()
	t.Cleanup(registry.Close)
	registry.SeedSchema("trade-executions-value", 1, 7, sr.Schema{Type: sr.TypeAvro, Schema: `{"type":"record","name":"Event","fields":[{"name":"kind","type":"string"}]}`})
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 1}})
	dir := files(t, c, fmt.Sprintf("  hook: {webhook: {url: 'http://127.0.0.1:9'}, partitions: 1}\nschema_registry: {urls: [%q], timeout: 1s}", registry.URL()),
		"version: 1\nrules: [{name: filled, topic: trade-executions, when: 'event.kind == \"fill\"', to: [hook], title: '{{ event.kind }} it is'}]\n")
	r := &kgo.Record{Topic: string(topics.TradeExecutions), Value: []byte("\x00\x00\x00\x00\x07\x08fill")}
	if err := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner())).ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	place := fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset)
	run := func(line string) clitest.Answer {
		return clitest.Main(Run).On(t, c, strings.Fields("-c "+dir+"/notifier.yaml "+line)...)
	}
	lines := []string{"rules explain " + place, "rules backtest", "channels preview hook --rule filled --event " + place}
	for _, line := range lines {
		run(line).Want(t, base.ExitDone, "fill it is")
	}
	registry.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	var all sync.WaitGroup
	for _, line := range lines {
		all.Go(func() {
			a := run(line)
			if a.Code != base.ExitFailed || !strings.Contains(a.Err, "answered 503") || strings.Contains(a.Out+a.Err, "dead letter") {
				t.Errorf("%s ended with %d: %s%s", line, a.Code, a.Out, a.Err)
			}
		})
	}
	all.Wait()
}
