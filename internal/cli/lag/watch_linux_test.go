//go:build linux

package lag_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/cli"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
)

// TestLagIsDrawnInPlace: on the terminal's other screen, again when its size
// changes, and what was seen last stays when it is stopped.
func TestLagIsDrawnInPlace(t *testing.T) {
	t.Setenv("TERM", "xterm")
	c, group := clitest.UnreadGroup(t)
	term, out := clitest.OpenTerminal(t)
	term.Resize(100, 30)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	code := make(chan int, 1)
	go func() {
		code <- cli.Run(ctx, []string{"lag", group, "--watch", "--interval", "1s", "--brokers", c.Brokers[0]}, base.Streams{In: strings.NewReader(""), Out: out, Err: io.Discard})
	}()
	screens := func() []string { return strings.Split(term.Screen.String(), "\x1b[H")[1:] }
	testkafka.Eventually(t, 20*time.Second, "it has drawn twice", func() bool { return len(screens()) >= 2 })
	begin, _, _ := strings.Cut(term.Screen.String(), "\x1b[H")
	if begin != "\x1b[?1049h\x1b[?25l" {
		t.Errorf("it begins with %q", begin)
	}
	if first := screens()[0]; !strings.Contains(first, group) || !strings.HasSuffix(first, "\x1b[J") || !strings.Contains(first, "\x1b[1;31m!") {
		t.Errorf("it draws %q", first)
	}
	term.Resize(60, 3)
	testkafka.Eventually(t, 20*time.Second, "it has drawn what fits", func() bool {
		all := screens()
		last := all[len(all)-1]
		return strings.Contains(last, "more lines") && strings.Count(last, "\r\n") == 2
	})
	term.Resize(100, 30)
	testkafka.Eventually(t, 20*time.Second, "it has drawn all again", func() bool {
		all := screens()
		return strings.Contains(all[len(all)-1], "trade-executions")
	})
	cancel()
	if got := <-code; got != base.ExitDone {
		t.Errorf("stopped it ends with %d", got)
	}
	testkafka.Eventually(t, 10*time.Second, "the table is left behind", func() bool {
		_, end, left := strings.Cut(term.Screen.String(), "\x1b[?25h\x1b[?1049l")
		return left && strings.Contains(end, "trade-executions") && !strings.Contains(end, "\x1b")
	})
}
