package silence_test

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

// TestListFitsTerminals of 80 and 100 columns, with hostile texts.
func TestListFitsTerminals(t *testing.T) {
	c := testkafka.Start(t, nil)
	command(t, c, "silence add rule=order-rejected account=A7 reject_code=venue_down* --for 2h", "-m", "venue migration CHG-112, ask the desk of equities \x1b[31m").Want(t, base.ExitDone)
	command(t, c, "silence add rule=drawdown --critical --for 26h", "-m", "test").Want(t, base.ExitDone)
	for _, columns := range []int{80, 100} {
		terminal, out := clitest.OpenTerminal(t)
		terminal.Resize(uint16(columns), 40)
		code := cli.Run(t.Context(), []string{"silence", "list", "--brokers", c.Brokers[0], "--group", c.Group}, base.Streams{In: strings.NewReader(""), Out: out, Err: clitest.NewLines()})
		testkafka.Eventually(t, 10*time.Second, "both are shown", func() bool { return strings.Count(terminal.Screen.String(), "sil_") == 2 })
		if code != base.ExitDone {
			t.Errorf("exit %d", code)
		}
		screen := strings.ReplaceAll(terminal.Screen.String(), "\r\n", "\n")
		for line := range strings.Lines(screen) {
			if n := uniseg.StringWidth(strings.TrimRight(line, "\n")); n > columns || strings.Contains(line, "\x1b") {
				t.Errorf("%d columns of %d: %q", n, columns, line)
			}
		}
		t.Logf("%d columns\n%s", columns, screen)
	}
}
