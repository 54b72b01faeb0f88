package backtest_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rivo/uniseg"

	"github.com/algotrade/notifier/internal/cli"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
)

// TestOutputFitsTerminals of 80 and 100 columns.
func TestOutputFitsTerminals(t *testing.T) {
	c := testkafka.Start(t, nil)
	story(t, c)
	dir := configured(t)
	later := write(t, dir, "new.yaml", newRules)
	for _, columns := range []int{80, 100} {
		for _, args := range []string{"--show 3", "--diff --events " + later} {
			terminal, out := clitest.OpenTerminal(t)
			terminal.Resize(uint16(columns), 40)
			line := append(append(strings.Fields(args), period...), "-c", filepath.Join(dir, "notifier.yaml"), "--brokers", c.Brokers[0])
			code := cli.Run(t.Context(), append([]string{"rules", "backtest"}, line...), base.Streams{In: strings.NewReader(""), Out: out, Err: clitest.NewLines()})
			testkafka.Eventually(t, 10*time.Second, args+" is shown", func() bool { return strings.Contains(terminal.Screen.String(), "desk-slack") })
			if code != base.ExitDone {
				t.Errorf("%s: exit %d", args, code)
			}
			screen := strings.ReplaceAll(terminal.Screen.String(), "\r\n", "\n")
			for line := range strings.Lines(screen) {
				if n := uniseg.StringWidth(strings.TrimRight(line, "\n")); n > columns {
					t.Errorf("%s: %d columns of %d: %s", args, n, columns, line)
				}
			}
			t.Logf("%s in %d columns\n%s", args, columns, screen)
		}
	}
}
