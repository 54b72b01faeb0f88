package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/rivo/uniseg"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
)

func TestDevHintsFitEightyColumns(t *testing.T) {
	for _, kafka := range []string{"127.0.0.1:9092", "127.0.0.1:19092"} {
		terminal, out := clitest.OpenTerminal(t)
		terminal.Resize(80, 24)
		s := newScreen(&base.Globals{IO: base.Streams{Out: out}}, kafka)
		s.poison, s.started = "re_4k7q", time.Now()
		s.try("configs/rules.yaml")
		s.end(summary{events: 1_003_404, alerts: 1204, throttled: 12, deadLetters: 103}, devFlags{})
		testkafka.Eventually(t, 10*time.Second, "the hints are shown", func() bool { return strings.Contains(terminal.Screen.String(), "with your Kafka") })
		screen := strings.ReplaceAll(terminal.Screen.String(), "\r\n", "\n")
		t.Log("\n" + screen)
		for line := range strings.Lines(screen) {
			if n := uniseg.StringWidth(strings.TrimRight(line, "\n")); n > 80 {
				t.Errorf("a line has %d columns: %s", n, line)
			}
		}
		// A shell joins what it reads into the same commands.
		joined := strings.Join(strings.Fields(strings.ReplaceAll(screen, "\\\n", "")), " ")
		for _, command := range []string{" produce trade-executions --sample order.rejected", "kcat -P -b " + kafka + " -t trade-executions -k me -X partitioner=murmur2_random", " dlq replay re_4k7q --payload - --yes"} {
			if !strings.Contains(joined, command) {
				t.Errorf("no command %q in %s", command, joined)
			}
		}
	}
}
