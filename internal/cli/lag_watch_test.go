//go:build linux

package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
)

// terminal is a pseudo-terminal: what a program writes to it, and its size.
type terminal struct {
	t      *testing.T
	master *os.File
	screen *clitest.Lines
}

// openTerminal returns a terminal and the file that a program writes to.
func openTerminal(t *testing.T) (*terminal, *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, master: master, screen: clitest.NewLines()}
	var number, locked int32
	term.control(syscall.TIOCSPTLCK, unsafe.Pointer(&locked))
	term.control(syscall.TIOCGPTN, unsafe.Pointer(&number))
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // until both ends are closed
		defer close(done)
		_, _ = io.Copy(term.screen, master)
	}()
	t.Cleanup(func() {
		_ = slave.Close()
		_ = master.Close()
		<-done
	})
	return term, slave
}

func (t *terminal) control(request uintptr, arg unsafe.Pointer) {
	t.t.Helper()
	raw, err := t.master.SyscallConn()
	if err != nil {
		t.t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(arg)); errno != 0 {
			t.t.Fatal(errno)
		}
	})
}

func (t *terminal) resize(columns, rows uint16) {
	t.t.Helper()
	t.control(syscall.TIOCSWINSZ, unsafe.Pointer(&[4]uint16{rows, columns}))
}

// TestLagIsDrawnInPlace: on the terminal's other screen, again when its size
// changes, and what was seen last stays when it is stopped.
func TestLagIsDrawnInPlace(t *testing.T) {
	t.Setenv("TERM", "xterm")
	c, group := waiting(t)
	term, out := openTerminal(t)
	term.resize(100, 30)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"lag", group, "--watch", "--interval", "1s", "--brokers", c.Brokers[0]}, base.Streams{In: strings.NewReader(""), Out: out, Err: io.Discard})
	}()
	screens := func() []string { return strings.Split(term.screen.String(), "\x1b[H")[1:] }
	testkafka.Eventually(t, 20*time.Second, "it has drawn twice", func() bool { return len(screens()) >= 2 })
	begin, _, _ := strings.Cut(term.screen.String(), "\x1b[H")
	if begin != "\x1b[?1049h\x1b[?25l" {
		t.Errorf("it begins with %q", begin)
	}
	if first := screens()[0]; !strings.Contains(first, group) || !strings.HasSuffix(first, "\x1b[J") || !strings.Contains(first, "\x1b[1;31m!") {
		t.Errorf("it draws %q", first)
	}
	term.resize(60, 3)
	testkafka.Eventually(t, 20*time.Second, "it has drawn what fits", func() bool {
		all := screens()
		last := all[len(all)-1]
		return strings.Contains(last, "more lines") && strings.Count(last, "\r\n") == 2
	})
	term.resize(100, 30)
	testkafka.Eventually(t, 20*time.Second, "it has drawn all again", func() bool {
		all := screens()
		return strings.Contains(all[len(all)-1], "trade-executions")
	})
	cancel()
	if got := <-code; got != base.ExitDone {
		t.Errorf("stopped it ends with %d", got)
	}
	testkafka.Eventually(t, 10*time.Second, "the table is left behind", func() bool {
		_, end, left := strings.Cut(term.screen.String(), "\x1b[?25h\x1b[?1049l")
		return left && strings.Contains(end, "trade-executions") && !strings.Contains(end, "\x1b")
	})
}
