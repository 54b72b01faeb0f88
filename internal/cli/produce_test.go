package cli

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// piped is `notifier produce trade-executions` in a process of its own, fed
// through a pipe as another program would.
type piped struct {
	*exec.Cmd
	in       io.WriteCloser
	out, err *clitest.Lines
}

func pipe(t *testing.T, c *testkafka.Cluster, args ...string) *piped {
	t.Helper()
	p := &piped{Cmd: exec.Command(os.Args[0], append([]string{"produce", "trade-executions", "--brokers", c.Brokers[0]}, args...)...), out: clitest.NewLines(), err: clitest.NewLines()}
	p.Env = append(os.Environ(), asMain+"=1")
	p.Stdout, p.Stderr = p.out, p.err
	in, err := p.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.in = in
	t.Cleanup(func() {
		_ = p.Process.Kill()
		_ = p.Wait()
	})
	return p
}

func (p *piped) start(t *testing.T, input string) {
	t.Helper()
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(p.in, input); err != nil {
		t.Fatal(err)
	}
}

func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

// sources is a cluster with the sources alone.
func sources(t *testing.T) *testkafka.Cluster {
	t.Helper()
	c := testkafka.Bare(t)
	for _, s := range c.Shapes(nil) {
		if s.Role == kafka.RoleSource {
			c.Make(s)
		}
	}
	return c
}

func TestProduceChecksAndSummarisesPipe(t *testing.T) {
	c := sources(t)
	in := `{"event_type":"order.rejected","session_id":"ses-1"}` + "\n" + `{"event_type":"order.rejectd"}` + "\n" + `{"price":-Infinity}` + "\n" + `{"n":4}` + "\n"
	for name, want := range map[string]struct {
		args   string
		exit   int
		err    string
		object string
	}{
		"stops": {"", base.ExitFailed, `line 2: warning: an event of type "order.rejectd": did you mean order.rejected?
notifier: line 3: -Infinity at byte 9 (the notifier repairs it, other consumers do not) (2 sent before)
`, ""},
		"keeps going": {"--keep-going", base.ExitFailed, `line 2: warning: an event of type "order.rejectd": did you mean order.rejected?
line 3: -Infinity at byte 9 (the notifier repairs it, other consumers do not)
3 records sent to trade-executions, 89 B
notifier: 1 document skipped
`, ""},
		"for programs": {
			"--keep-going -o json", base.ExitFailed, `line 2: warning: an event of type "order.rejectd": did you mean order.rejected?
line 3: -Infinity at byte 9 (the notifier repairs it, other consumers do not)
notifier: 1 document skipped
`, `{"bytes":89,"dry_run":false,"error":"1 document skipped","lines":4,"refused":1,"sent":3,"topic":"trade-executions","unacknowledged":0}`,
		},
		"raw": {"--raw", base.ExitDone, "4 records sent to trade-executions, 108 B\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := pipe(t, c, strings.Fields(want.args)...)
			p.start(t, in)
			_ = p.in.Close()
			if got := exitCode(p.Wait()); got != want.exit {
				t.Errorf("exit %d, want %d", got, want.exit)
			}
			if p.err.String() != want.err {
				t.Errorf("it said\n%s\nwant\n%s", p.err, want.err)
			}
			out := strings.TrimSpace(p.out.String())
			if want.object != "" {
				var object map[string]any
				if err := json.Unmarshal([]byte(out), &object); err != nil {
					t.Fatal(err)
				}
				delete(object, "seconds")
				text, _ := json.Marshal(object)
				out = string(text)
			}
			if out != want.object {
				t.Errorf("the summary is\n%s\nwant\n%s", out, want.object)
			}
		})
	}
}

// TestInterruptedProduceReportsLastLine: while it waits for input, as behind
// tail -f, and with records on their way.
func TestInterruptedProduceReportsLastLine(t *testing.T) {
	c := sources(t)
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		p := pipe(t, c)
		p.start(t, "{\"n\":1}\n[]\n") // refused: it is past the first
		if got := exitCode(p.Wait()); got != base.ExitFailed {
			t.Fatalf("exit %d\n%s", got, p.err)
		}
		p = pipe(t, c, "--keep-going")
		p.start(t, "{\"n\":1}\n{\"n\":2}\n[]\n{\"n\":")
		p.err.Wait(t, 20*time.Second, "line 3: ")
		if err := p.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		exit := exitCode(p.Wait())
		if want := "stopped by a signal: " + signal.String() + " (2 sent before, up to line 3)"; exit != base.ExitFailed || !strings.Contains(p.err.String(), want) {
			t.Errorf("exit %d\n%s\nwant %s", exit, p.err, want)
		}
	}
}

// TestProduceSurvivesClosedStandardError: what it says goes nowhere, so it stops
// after what is on its way, and the input behind it is not sent unheard.
func TestProduceSurvivesClosedStandardError(t *testing.T) {
	c := sources(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := pipe(t, c, "--keep-going")
	p.Stdout, p.Stderr = writer, writer
	_ = reader.Close()
	p.start(t, "{\"n\":1}\n[]\n{\"n\":3}\n")
	_ = writer.Close()
	if got := exitCode(p.Wait()); got != base.ExitFailed {
		t.Errorf("exit %d, want %d", got, base.ExitFailed)
	}
	offsets, err := c.Admin.ListEndOffsets(t.Context(), "trade-executions")
	if err != nil {
		t.Fatal(err)
	}
	sent := int64(0)
	for _, o := range offsets["trade-executions"] {
		sent += o.Offset
	}
	if sent != 1 {
		t.Errorf("%d were sent, want the one before", sent)
	}
}

func TestProduceDryRunNeedsNoBroker(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events.jsonl")
	in := `{"event_type":"order.rejected"}` + "\n" + `{"occurred_at":"soon"}` + "\n" + `{"occurred_at":[2026,11,29,7,22,49]}` + "\n"
	if err := os.WriteFile(file, []byte(in), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"produce", "trade-executions", "--brokers", "127.0.0.1:1", "--dry-run", "-f", file}
	local(t, args...).Want(t, base.ExitFailed, `line 2: occurred_at is "soon", not a time that is read: the record's timestamp is used instead; send RFC 3339, such as 2026-11-29T07:22:49Z, or milliseconds since 1970 (the notifier repairs it`, "(1 accepted before)")
	local(t, append(args, "--keep-going")...).Want(t, base.ExitFailed, "2 records accepted for trade-executions", "nothing was sent")
	got := local(t, append(args, "--keep-going", "-o", "json")...).Want(t, base.ExitFailed).Objects(t)[0]
	if got["dry_run"] != true || got["sent"] != 2.0 || got["refused"] != 1.0 {
		t.Errorf("summary %v", got)
	}
}

func TestProduceSendsOwnSamples(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"notifier.yaml": "channels: {desk: {console: {}}}\nsamples: {trade-executions: fills.jsonl}\nevents: {trade-executions: {id: Order Id, type: Side, time: Timestamp}}\n",
		"fills.jsonl":   `{"Order Id":7,"Timestamp":"2020-01-01T00:00:00Z","Side":"Buy"}` + "\n" + `{"Order Id":8,"Timestamp":1577836800000,"Side":"Sell"}` + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := sources(t)
	args := []string{"produce", "trade-executions", "-c", filepath.Join(dir, "notifier.yaml"), "--sample"}
	command(t, c, append(args, "fills-2")...).Want(t, base.ExitDone, "1 record sent")
	command(t, c, append(args, "fill-2")...).Want(t, base.ExitMisused, "did you mean fills-2?")
	reader := c.Client(kgo.ConsumeTopics(string(topics.TradeExecutions)), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	text := string(reader.PollFetches(t.Context()).Records()[0].Value)
	if strings.Contains(text, ":8,") || strings.Contains(text, "15778") || !strings.Contains(text, `"Side":"Sell"`) {
		t.Errorf("sent %s: its id and time are not new", text)
	}
}
