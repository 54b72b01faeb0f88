package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// process is the program in a process of its own.
type process struct {
	*exec.Cmd
	err *clitest.Lines
}

func spawn(t testing.TB, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], args...), err: clitest.NewLines()}
	p.Env = append(os.Environ(), asMain+"=1")
	p.Stderr = p.err
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Process.Kill()
		_ = p.Wait()
	})
	return p
}

func TestAKilledDaemonLosesNothing(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	dir := files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook"))
	t.Setenv("KAFKA_GROUP_INSTANCE_ID", "killed-"+c.Group) // static: it is back at once
	const alerts = 2000
	c.Produce(alerting(topics.TradeExecutions, "", 0, alerts)...)

	repeats := 0
	for round := range 3 {
		p := spawn(t, "run", "-c", filepath.Join(dir, "notifier.yaml"))
		want := (round + 1) * alerts / 4
		got(t, hook, want, 60*time.Second)
		if err := p.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = p.Wait()
	}
	start(t, dir)
	list := got(t, hook, alerts, 60*time.Second)
	settled(t, c)
	repeats = len(list) - distinct(list)
	// Per kill and partition: what was in flight, and 64 settled and not committed.
	if most := 3 * (2*65 + 16); repeats > most {
		t.Errorf("%d repeats after three kills, want %d at most", repeats, most)
	}
	if n := len(clitest.DeadLetters(t, c)); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	t.Logf("%d repeats", repeats)
}

// TestSettledAboveGapSurvivesKill has one alert hang while
// hundreds behind it are delivered: after a kill that one is sent again, and
// none of the others.
func TestSettledAboveGapSurvivesKill(t *testing.T) {
	c := testkafka.Start(t, one("hook", 1))
	var fixed atomic.Bool
	hook := webhooktest.Start(t, "", func(int, webhooktest.Request) webhooktest.Answer {
		return webhooktest.Answer{ByBody: func(body []byte) webhooktest.Answer {
			return webhooktest.Answer{Hang: !fixed.Load() && bytes.Contains(body, []byte(`"symbol":"BAD"`))}
		}}
	})
	channel := fmt.Sprintf("  hook: {webhook: {url: %q}, timeout: 5m, partitions: 1}\n", hook.URL)
	dir := files(t, c, channel, fmt.Sprintf(every, "hook"))
	t.Setenv("KAFKA_GROUP_INSTANCE_ID", "killed-"+c.Group)
	p := spawn(t, "run", "-c", filepath.Join(dir, "notifier.yaml"))
	const alerts = 600
	c.Produce(bad("waits", 0, 1)[:1]...)
	got(t, hook, 1, 60*time.Second)
	c.Produce(alerting(topics.TradeExecutions, "", 1, alerts-1)...)
	got(t, hook, alerts, 60*time.Second)
	last, since := "", time.Now()
	testkafka.Eventually(t, 20*time.Second, "commits have come to rest at the one that waits", func() bool {
		o, ok := c.Committed(topics.OutboxGroup(c.Group)).Lookup(topics.Outbox(c.Group, "hook"), 0)
		if !ok || o.At != 0 || o.Metadata != last {
			last, since = o.Metadata, time.Now()
		}
		return time.Since(since) > time.Second
	})
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait()
	fixed.Store(true)
	start(t, dir)
	settled(t, c)
	if list := numbers(t, hook.Requests()); len(list) != alerts+1 || list[alerts] != 0 {
		t.Errorf("%d posts of %d alerts, the last ones %v: want the one that waited again, and no other", len(list), alerts, list[alerts:])
	}
}

// TestAKilledDaemonForgetsNoReplay kills it while it replays: every entry is
// resolved in the end, and sent once but for what a kill can repeat.
func TestAKilledDaemonForgetsNoReplay(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", refuses)
	dir := files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook"))
	t.Setenv("KAFKA_GROUP_INSTANCE_ID", "killed-"+c.Group)
	const letters = 800
	d := start(t, dir)
	c.Produce(bad("", 0, letters)...)
	become(t, c, map[dlq.State]int{dlq.Open: letters})
	settled(t, c)
	d.stop()
	hook.SetAnswer(nil)
	ask(t, c, requests(clitest.DeadLetters(t, c), nil)...)
	for round := range 3 {
		p := spawn(t, "run", "-c", filepath.Join(dir, "notifier.yaml"))
		want := (round + 1) * letters / 4
		replayed(t, hook, want)
		if err := p.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = p.Wait()
	}
	start(t, dir)
	become(t, c, map[dlq.State]int{dlq.Resolved: letters})
	settled(t, c)
	posts := again(t, hook)
	once := make(map[string]bool)
	for _, r := range posts {
		once[alertOf(t, r).Delivery] = true
	}
	if len(once) != letters {
		t.Errorf("%d of %d entries were sent", len(once), letters)
	}
	// What was in flight, or taken and its tombstone not yet written: per partition
	// no more than may be uncommitted.
	repeats := len(posts) - len(once)
	if most := 3 * 2 * 64; repeats > most {
		t.Errorf("%d repeats after three kills, want %d at most", repeats, most)
	}
	t.Logf("%d repeats", repeats)
}

func TestTheSecondSignalEndsTheProcess(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", func(int, webhooktest.Request) webhooktest.Answer { return webhooktest.Answer{Hang: true} })
	dir := files(t, c, fmt.Sprintf("  hook: {webhook: {url: %q}, timeout: 1m, partitions: 2}", hook.URL), fmt.Sprintf(every, "hook"))
	p := spawn(t, "run", "-c", filepath.Join(dir, "notifier.yaml"))
	p.err.Wait(t, 30*time.Second, `"msg":"running"`)
	c.Produce(alerting(topics.TradeExecutions, "a", 0, 1)...)
	hook.Wait(30*time.Second, func(r []webhooktest.Request) bool { return len(r) == 1 })
	ended := make(chan struct{})
	go func() {
		_ = p.Wait()
		close(ended)
	}()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	// It drains now, with a delivery that hangs; it is not ready any longer.
	p.err.Wait(t, 10*time.Second, "stopping")
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Fatal("it continues after a second signal")
	}
	if code := p.ProcessState.ExitCode(); code != base.ExitInterrupted {
		t.Errorf("exit code %d, want %d", code, base.ExitInterrupted)
	}
}

func TestAFailingStartStopsWhatHadStarted(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	dir := files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook"))
	first := start(t, dir)
	taken := strings.TrimPrefix(first.http, "http://")
	config := filepath.Join(dir, "notifier.yaml")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("127.0.0.1:0"), []byte(taken), 1)
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	second := launch(t, dir)
	second.err.Wait(t, 20*time.Second, "notifier: cannot listen on "+taken+" (bind: address already in use): change http.listen, or dev's --http")
	if code := second.stop(); code != base.ExitFailed {
		t.Errorf("exit code %d", code)
	}
	testkafka.Eventually(t, 20*time.Second, "the group has one member", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		groups, err := c.Admin.DescribeGroups(ctx, c.Group)
		return err == nil && len(groups[c.Group].Members) == 1
	})
}

// TestStopBeforeRunningIsNoFailure: a supervisor that stops it while it looks
// at the cluster finds nothing wrong.
func TestStopBeforeRunningIsNoFailure(t *testing.T) {
	c := testkafka.Start(t, one("hook", 1))
	dir := files(t, c, hookChannel("hook", "http://127.0.0.1:1"), fmt.Sprintf(every, "hook"))
	d := launch(t, dir, "--brokers", "127.0.0.1:1", "--wait", "5m")
	d.err.Wait(t, 20*time.Second, "waiting for the brokers")
	if code := d.stop(); code != base.ExitDone {
		t.Errorf("it ends with %d", code)
	}
	d.err.Wait(t, time.Second, "stopped before start was complete")
}

// TestStartWaitsForRestartingBrokers: the first answer is no
// promise that the next one comes.
func TestStartWaitsForRestartingBrokers(t *testing.T) {
	if testkafka.Bare(t).Real() {
		t.Log("a real broker cannot be told to close connections")
		return
	}
	c := testkafka.Start(t, one("hook", 1))
	dir := files(t, c, hookChannel("hook", "http://127.0.0.1:1"), fmt.Sprintf(every, "hook"))
	var connections atomic.Int32
	var back atomic.Bool
	c.Fake().ControlKey(int16(kmsg.ApiVersions), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.Fake().KeepControl()
		if connections.Add(1) == 1 || back.Load() { // a first sign of life, then every connection is closed
			return nil, nil, false
		}
		return nil, errors.New("restarting"), true
	})
	d := launch(t, dir, "--wait", "1m")
	d.err.Wait(t, 30*time.Second, "waiting for the brokers")
	back.Store(true)
	d.err.Wait(t, 60*time.Second, `"msg":"running"`)
}

func TestSecondInstanceFencesFirst(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	dir := files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook"))
	t.Setenv("KAFKA_GROUP_INSTANCE_ID", "desk-1")
	first := start(t, dir)
	c.Produce(alerting(topics.TradeExecutions, "a", 0, 1)...)
	got(t, hook, 1, 20*time.Second)
	start(t, dir)
	first.err.Wait(t, 30*time.Second, "another notifier runs as desk-1: give each its own kafka.instance_id")
	if code := first.stop(); code != base.ExitConfig {
		t.Errorf("the first ends with %d, want %d: its unit must not start it again", code, base.ExitConfig)
	}
	c.Produce(alerting(topics.TradeExecutions, "a", 1, 1)...)
	got(t, hook, 2, 30*time.Second)
}
