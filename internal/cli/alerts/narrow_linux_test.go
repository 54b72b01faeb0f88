package alerts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rivo/uniseg"

	"github.com/algotrade/notifier/internal/cli"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
)

// TestOutputFitsTerminals of 80 and 100 columns, but for commands to copy.
func TestOutputFitsTerminals(t *testing.T) {
	c := filled(t)
	for _, columns := range []int{80, 100} {
		for _, args := range []string{"alerts list", "alerts show al_1"} {
			terminal, out := clitest.OpenTerminal(t)
			terminal.Resize(uint16(columns), 40)
			code := cli.Run(t.Context(), append(strings.Fields(args), "--brokers", c.Brokers[0], "--group", c.Group), base.Streams{In: strings.NewReader(""), Out: out, Err: clitest.NewLines()})
			testkafka.Eventually(t, 10*time.Second, args+" is shown", func() bool { return strings.Contains(terminal.Screen.String(), "al_1") })
			if code != base.ExitDone {
				t.Errorf("%s: exit %d", args, code)
			}
			screen := strings.ReplaceAll(terminal.Screen.String(), "\r\n", "\n")
			for line := range strings.Lines(screen) {
				if n := uniseg.StringWidth(strings.TrimRight(line, "\n")); n > columns && !strings.HasPrefix(line, "  see its event") && !strings.HasPrefix(line, "  its dead letter") {
					t.Errorf("%s: %d columns of %d: %s", args, n, columns, line)
				}
			}
			if args == "alerts list" && !strings.Contains(screen, "SEVERITY") {
				t.Errorf("%d columns: no severity\n%s", columns, screen)
			}
			t.Logf("%s in %d columns\n%s", args, columns, screen)
		}
	}
}
