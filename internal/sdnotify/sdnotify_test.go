package sdnotify_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/sdnotify"
	"github.com/algotrade/notifier/internal/sdnotify/sdnotifytest"
)

// process is what a reporter asks.
type process struct {
	joined atomic.Bool
	stuck  atomic.Bool
	polls  atomic.Int32 // calls of Live
	status atomic.Value
}

// report runs a reporter of p until the test ends.
func report(t *testing.T, p *process) *sdnotify.Reporter {
	t.Helper()
	r, err := sdnotify.New(sdnotify.Params{
		Live: func() error {
			p.polls.Add(1)
			if p.stuck.Load() {
				return errors.New("ingest has not polled for 31s")
			}
			return nil
		},
		Joined: p.joined.Load,
		Status: func() string { s, _ := p.status.Load().(string); return s },
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = r.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return r
}

// TestReporterMessages goes through a life, on a socket in the file system and
// on an abstract one.
func TestReporterMessages(t *testing.T) {
	for _, kind := range []string{"file", "abstract"} {
		t.Run(kind, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "notify")
			if kind == "abstract" {
				name = "@" + name
			}
			m := sdnotifytest.Listen(t, name)
			t.Setenv("WATCHDOG_USEC", "60000")
			var p process
			p.status.Store("not ready: groups: ingest: has not joined yet")

			sdnotify.Starting("checking the cluster", 90*time.Second)
			m.Wait("STATUS=starting: checking the cluster", "EXTEND_TIMEOUT_USEC=90000000")
			r := report(t, &p)
			m.Wait("STATUS=not ready: groups: ingest: has not joined yet")
			m.Wait("WATCHDOG=1", "EXTEND_TIMEOUT_USEC=30000000")
			m.Wait("WATCHDOG=1", "EXTEND_TIMEOUT_USEC=30000000")
			if m.Count("READY=1") > 0 {
				t.Error("it is ready before the groups are joined")
			}

			p.status.Store("ready: 18 partitions, 3 channels")
			p.joined.Store(true)
			m.Wait("READY=1", "STATUS=ready: 18 partitions, 3 channels")
			if got := m.Wait("WATCHDOG=1"); slices.Contains(got, "EXTEND_TIMEOUT_USEC=30000000") {
				t.Errorf("a daemon that runs asks for time: %q", got)
			}
			p.status.Store("ready: 18 partitions, 3 channels, desk suspended")
			m.Wait("STATUS=ready: 18 partitions, 3 channels, desk suspended")

			r.Stopping("stopping: deliveries in flight may take 20s")
			m.Wait("STOPPING=1", "STATUS=stopping: deliveries in flight may take 20s")
			p.stuck.Store(true) // the loops end
			m.Wait("WATCHDOG=1", "EXTEND_TIMEOUT_USEC=30000000")
			if n := m.Count("READY=1"); n != 1 {
				t.Errorf("it was ready %d times", n)
			}
		})
	}
}

func TestStuckProcessSendsNoWatchdog(t *testing.T) {
	m := sdnotifytest.Listen(t, filepath.Join(t.TempDir(), "notify"))
	t.Setenv("WATCHDOG_USEC", "60000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	var p process
	p.joined.Store(true)
	report(t, &p)
	m.Wait("WATCHDOG=1")
	p.stuck.Store(true)
	m.Wait("STATUS=stuck: ingest has not polled for 31s")
	before := len(m.Messages())
	for n := p.polls.Load(); p.polls.Load() < n+10; {
		time.Sleep(time.Millisecond)
	}
	p.status.Store("ready: 18 partitions, 3 channels")
	p.stuck.Store(false)
	m.Wait("STATUS=ready: 18 partitions, 3 channels", "WATCHDOG=1")
	if first := m.Messages()[before]; !slices.Contains(first, "STATUS=ready: 18 partitions, 3 channels") {
		t.Errorf("while it was stuck sent %q", first)
	}
}

func TestAWatchdogOfAnotherProcessIsNotOurs(t *testing.T) {
	m := sdnotifytest.Listen(t, filepath.Join(t.TempDir(), "notify"))
	t.Setenv("WATCHDOG_USEC", "60000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()+1))
	var p process
	p.joined.Store(true)
	p.status.Store("one")
	r := report(t, &p)
	m.Wait("READY=1", "STATUS=one")
	p.status.Store("two")
	m.Wait("STATUS=two")
	r.Stopping("stopping")
	m.Wait("EXTEND_TIMEOUT_USEC=30000000")
	if m.Count("WATCHDOG=1") > 0 {
		t.Errorf("sent %q", m.Messages())
	}
}

func TestInvalidWatchdogIsAnError(t *testing.T) {
	t.Setenv("WATCHDOG_USEC", "soon")
	if _, err := sdnotify.New(sdnotify.Params{}); err == nil || !strings.Contains(err.Error(), "WATCHDOG_USEC") {
		t.Errorf("the error is %v", err)
	}
}

// TestAStatusStaysOnItsLine: what stands in an error must not become an
// assignment, nor too much for a message.
func TestAStatusStaysOnItsLine(t *testing.T) {
	m := sdnotifytest.Listen(t, filepath.Join(t.TempDir(), "notify"))
	sdnotify.Status("down\nREADY=1\x1b[2J" + strings.Repeat("ü", 5000))
	got := m.Wait("STATUS=down…")
	if len(got) != 1 || !strings.HasPrefix(got[0], "STATUS=down READY=1 [2Jüü") || !strings.HasSuffix(got[0], "ü…") || len(got[0]) > 4096 {
		t.Errorf("sent %q", got)
	}
}

// TestWithoutAServiceManagerNothingHappens: no socket, or one that nobody reads.
func TestWithoutAServiceManagerNothingHappens(t *testing.T) {
	for _, name := range []string{"", filepath.Join(t.TempDir(), "none")} {
		t.Setenv("NOTIFY_SOCKET", name)
		sdnotify.Status("nobody hears this")
		var p process
		p.joined.Store(true)
		report(t, &p).Stopping("stopping")
		if name == "" && p.polls.Load() > 0 {
			t.Error("Live was called")
		}
	}
}

// TestUnreadSocketBlocksNothing fills the socket of a service manager that does
// not read: a stop is still bounded.
func TestUnreadSocketBlocksNothing(t *testing.T) {
	name := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", name)
	full, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	raw, err := full.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		for err == nil {
			_, err = syscall.Write(int(fd), []byte("x")) // does not block
		}
	}); err != nil {
		t.Fatal(err)
	}
	sdnotify.Status("the socket is full")
	sdnotify.Status("and still is")
	if err := conn.Close(); err != nil { // ends the write that blocks
		t.Fatal(err)
	}
	m := sdnotifytest.Listen(t, filepath.Join(t.TempDir(), "notify"))
	sdnotify.Status("read again")
	m.Wait("STATUS=read again")
}
