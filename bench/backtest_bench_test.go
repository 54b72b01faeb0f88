package bench

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// backtestEvents is how many events BenchmarkBacktest reads; the figures of
// docs/performance.md are of ten million.
var backtestEvents = flag.Int("backtest-events", 1_000_000, "events of BenchmarkBacktest")

// BenchmarkBacktest is 'rules backtest' of events of 350 bytes of which one in a thousand
// alerts, beside the daemon's filter on the same events in the same run. The command is a
// process of its own, so its peak memory is its own.
func BenchmarkBacktest(b *testing.B) {
	n := *backtestEvents
	program := filepath.Join(b.TempDir(), "notifier")
	if out, err := exec.Command("go", "build", "-o", program, "../cmd/notifier").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	d := newDesk(b)
	d.fill(n, 1000)
	e := d.run(&sink{}, 16)
	began := time.Now()
	for e.handled.records() < n && b.Context().Err() == nil { // of any number, on any machine
		time.Sleep(time.Millisecond)
	}
	filter := time.Since(began)
	e.stop()

	var out, words bytes.Buffer
	cmd := exec.CommandContext(b.Context(), program, "rules", "backtest", "--brokers", d.config.Brokers[0], "--group", group, "--topic", "trade-executions", "-o", "json")
	cmd.Stdout, cmd.Stderr, cmd.Dir = &out, &words, b.TempDir()
	cmd.Env = append(os.Environ(), "NOTIFIER_CONFIG=")
	began = time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatalf("%v\n%s", err, words.String())
	}
	whole := time.Since(began)
	var summary struct {
		Events   int
		Rate     float64 `json:"events_per_second"`
		Versions []struct{ Rules []struct{ Alerts int } }
	}
	if err := json.Unmarshal(out.Bytes(), &summary); err != nil {
		b.Fatal(err)
	}
	alerts := 0
	for _, r := range summary.Versions[0].Rules {
		alerts += r.Alerts
	}
	if summary.Events != n || alerts != n/1000 {
		b.Fatalf("%d events and %d alerts, want %d and %d", summary.Events, alerts, n, n/1000)
	}
	b.ReportMetric(float64(n)/filter.Seconds(), "filter-events/s")
	b.ReportMetric(float64(n)/whole.Seconds(), "events/s") // the start of the process included
	b.ReportMetric(filter.Seconds()/whole.Seconds(), "of-filter")
	b.ReportMetric(float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)/1024, "peak-MiB")
}
