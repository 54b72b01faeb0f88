package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// every raises an alert for each event that asks for one, titled by its
// number.
const every = `
version: 1
rules:
  - name: every
    topic: [trade-executions, portfolio-updates]
    when: event.alert == true
    severity: warning
    key: [event.k]
    to: [%s]
    title: "{{ event.n }}"
`

// testDaemon is a running notifier in this process.
type testDaemon struct {
	t        testing.TB
	dir      string
	out, err *clitest.Lines
	stop     func() int
	http     string
}

// files writes a configuration with these channels, given as YAML, and these
// rules, and returns the directory.
func files(t testing.TB, c *testkafka.Cluster, channels, rules string) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("rules.yaml", rules)
	write("notifier.yaml", fmt.Sprintf("kafka: {brokers: [%q], group: %q}\nrules: rules.yaml\nhttp: {listen: '127.0.0.1:0'}\nlog: {format: json}\nretry: {initial: 20ms, max: 200ms}\nbreaker: {open: 100ms}\nchannels:\n%s\n",
		c.Brokers[0], c.Group, channels))
	return dir
}

// alongside has a test that mostly waits run together with others of its kind, after
// those that do not. On a real cluster, whose topics they share, it does not.
func alongside(t *testing.T) {
	t.Helper()
	if os.Getenv(testkafka.Env) == "" {
		t.Parallel()
	}
}

// start runs the daemon on a configuration and waits until it is ready.
func start(t testing.TB, dir string, args ...string) *testDaemon {
	t.Helper()
	d := launch(t, dir, args...)
	d.running()
	testkafka.Eventually(t, 30*time.Second, "the daemon is ready", func() bool {
		status, _ := d.get("/readyz")
		return status == http.StatusOK
	})
	return d
}

// running waits until it runs, ready or not.
func (d *testDaemon) running() {
	d.t.Helper()
	var line struct{ HTTP string }
	if err := json.Unmarshal([]byte(d.err.Wait(d.t, 20*time.Second, `"msg":"running"`)), &line); err != nil {
		d.t.Fatal(err)
	}
	d.http = "http://" + line.HTTP
}

// launch runs the daemon and waits for nothing.
func launch(t testing.TB, dir string, args ...string) *testDaemon {
	t.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	d := &testDaemon{t: t, dir: dir, out: clitest.NewLines(), err: clitest.NewLines()}
	code := make(chan int, 1)
	go func() {
		code <- Run(ctx, append([]string{"run", "-c", filepath.Join(dir, "notifier.yaml")}, args...), base.Streams{In: strings.NewReader(""), Out: d.out, Err: d.err})
	}()
	d.stop = sync.OnceValue(func() int {
		cancel(base.ErrSignal)
		select {
		case c := <-code:
			return c
		case <-time.After(40 * time.Second):
			t.Errorf("the daemon does not stop:\n%s", d.err.String())
			return -1
		}
	})
	t.Cleanup(func() {
		d.stop()
		if t.Failed() {
			t.Logf("the daemon said:\n%s", d.err.String())
		}
	})
	return d
}

func (d *testDaemon) get(path string) (int, string) {
	resp, err := http.Get(d.http + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(body)
}

// metric returns a sample of /metrics by its name and labels as written there.
func (d *testDaemon) metric(sample string) string {
	_, body := d.get("/metrics")
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, sample+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// component returns a component of /readyz, and the answer's status.
func (d *testDaemon) component(name string) (status int, ok bool, cause string) {
	status, body := d.get("/readyz")
	var doc struct {
		Components []struct {
			Name  string
			OK    bool
			Cause string
		}
	}
	_ = json.Unmarshal([]byte(body), &doc)
	for _, c := range doc.Components {
		if c.Name == name {
			return status, c.OK, c.Cause
		}
	}
	return status, false, "not shown"
}

// alerting returns records that raise an alert each, numbered from first.
func alerting(topic topics.Name, key string, first, n int) []*kgo.Record {
	var records []*kgo.Record
	for i := range n {
		r := &kgo.Record{Topic: string(topic), Value: fmt.Appendf(nil, `{"alert":true,"n":%d,"k":%q}`, first+i, key)}
		if key != "" {
			r.Key = []byte(key)
		}
		records = append(records, r)
	}
	return records
}

// settled waits until neither stage has anything left to do.
func settled(t testing.TB, c *testkafka.Cluster) {
	t.Helper()
	testkafka.Eventually(t, 30*time.Second, "everything is committed", func() bool {
		return c.Lag(c.Group) == 0 && c.Lag(topics.OutboxGroup(c.Group)) == 0
	})
}

func one(name string, partitions int) []kafka.Channel {
	return []kafka.Channel{{Name: name, Partitions: partitions}}
}
