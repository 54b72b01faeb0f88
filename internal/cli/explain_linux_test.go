package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rivo/uniseg"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
)

// TestExplainFitsTerminals of 80 and 100 columns, with what became of the alerts.
func TestExplainFitsTerminals(t *testing.T) {
	alongside(t)
	c, dir, explain := explained(t, fmt.Sprintf(`{"type":"fill","account":"A1","notional":"60000","occurred_at":%q}`, time.Now().UTC().Format(time.RFC3339)), `{"type":"fill","notional":"5"}`, `{"type":"fi`)
	explain("trade-executions/0@0")
	for _, columns := range []int{80, 100} {
		for offset := range 3 {
			terminal, out := clitest.OpenTerminal(t)
			terminal.Resize(uint16(columns), 40)
			args := fmt.Sprintf("rules explain -c %s/notifier.yaml --brokers %s --group %s trade-executions/0@%d", dir, c.Brokers[0], c.Group, offset)
			if code := Run(t.Context(), strings.Fields(args), base.Streams{In: strings.NewReader(""), Out: out, Err: clitest.NewLines()}); code != base.ExitDone {
				t.Errorf("%s: exit %d", args, code)
			}
			testkafka.Eventually(t, 10*time.Second, "it is shown", func() bool { return strings.Contains(terminal.Screen.String(), "result ") })
			screen := strings.ReplaceAll(terminal.Screen.String(), "\r\n", "\n")
			for line := range strings.Lines(screen) {
				if n := uniseg.StringWidth(strings.TrimRight(line, "\n")); n > columns {
					t.Errorf("%d columns of %d: %s", n, columns, line)
				}
			}
			t.Logf("%d columns\n%s", columns, screen)
		}
	}
}

// TestExplainInNarrowTerminal has what people read there.
func TestExplainInNarrowTerminal(t *testing.T) {
	terminal, out := clitest.OpenTerminal(t)
	terminal.Resize(80, 40)
	args := "rules explain -c ../../configs/notifier.yaml --brokers 127.0.0.1:1 --event ../../configs/samples/portfolio-updates/portfolio.snapshot-drawdown.json"
	if code := Run(t.Context(), strings.Fields(args), base.Streams{In: strings.NewReader(""), Out: out, Err: clitest.NewLines()}); code != base.ExitDone {
		t.Fatalf("exit %d", code)
	}
	const last = "account-restricted does not fire"
	testkafka.Eventually(t, 10*time.Second, "it is shown", func() bool {
		_, behind, _ := strings.Cut(terminal.Screen.String(), last)
		return strings.Contains(behind, "(text)")
	})
	clitest.Golden(t, "explain-80.golden", strings.ReplaceAll(terminal.Screen.String(), "\r\n", "\n"))
}
