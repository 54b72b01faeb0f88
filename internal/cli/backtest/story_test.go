package backtest_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/testkafka"
)

// monday is when the events of the tests begin: the period of which begins at 13:00.
var monday = time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)

var period = []string{"--since", "2026-11-23T13:00:00Z", "--until", "2026-11-23T18:00:00Z"}

// The secrets that the channels name exist nowhere.
const configuration = `rules: rules.yaml
notify_trouble: desk
channels:
  desk: {console: {}}
  desk-mail: {email: {server: "mail.example.com:587", from: a@example.com, to: [desk@example.com], username: env:NO_SUCH_USER, password: file:/no/such/file}}
  desk-slack: {slack: {token: env:NO_SUCH_TOKEN, channel: C0DESK01}, pace: {rate: 1/s, burst: 3}, digest: true}
`

const oldRules = `version: 1
rules:
  - name: rejected
    topic: trade-executions
    when: event.kind == "rejected"
    severity: 'event.qty >= 500 ? "critical" : "warning"'
    key: [event.account]
    group_by: [event.reason]
    throttle: 1m
    to: [desk-slack]
    title: "Rejected: {{ event.qty }} on {{ event.account }} ({{ event.reason }})"
    fields: [event.venue]
  - {name: drawdown, topic: portfolio-updates, when: event.drawdown >= 0.05, clear: event.drawdown < 0.04, key: [event.account], to: [desk, desk-mail], title: "Drawdown {{ pct(event.drawdown) }} on {{ event.account }}"}
  - {name: never, topic: portfolio-updates, when: event.kind == "never", to: [desk], title: t}
`

// newRules raises fewer rejections, some with another severity, has no rule never and
// another one.
var newRules = strings.NewReplacer(
	`event.kind == "rejected"`, `event.kind == "rejected" and event.qty > 100`, ">= 500", ">= 400",
	"name: never, topic: portfolio-updates, when: event.kind == \"never\"", "name: restricted, topic: portfolio-updates, when: event.kind == \"restricted\"",
).Replace(oldRules)

// write writes a file of the configuration.
func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// configured returns the directory of notifier.yaml and rules.yaml.
func configured(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "notifier.yaml", configuration)
	write(t, dir, "rules.yaml", oldRules)
	return dir
}

// rec returns a record.
func rec(topic string, partition int32, after time.Duration, value string) *kgo.Record {
	return &kgo.Record{Topic: topic, Partition: partition, Timestamp: monday.Add(after), Key: []byte("k"), Value: []byte(value)}
}

// rejected returns an event of trade-executions.
func rejected(n int, after time.Duration, qty int, reason string) *kgo.Record {
	at := monday.Add(after)
	return rec("trade-executions", int32(n%3), after, fmt.Sprintf(`{"event_id":"e-%d","kind":"rejected","occurred_at":%q,"account":"ACC-%d","qty":%d,"reason":%q,"venue":"XNAS"}`,
		n, at.Format(time.RFC3339Nano), n, qty, reason))
}

func drawdown(after time.Duration, account string, fraction float64) *kgo.Record {
	return rec("portfolio-updates", 0, after, fmt.Sprintf(`{"kind":"snapshot","occurred_at":%q,"account":%q,"drawdown":%v}`, monday.Add(after).Format(time.RFC3339Nano), account, fraction))
}

func zipped(r *kgo.Record) *kgo.Record {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(r.Value)
	_ = z.Close()
	r.Value = b.Bytes()
	return r
}

// story is an outage of a venue, a drawdown that ends, and some of what producers get
// wrong.
func story(t testing.TB, c *testkafka.Cluster) {
	t.Helper()
	if c.Real() {
		t.Skip("its events are older than the retention of a real cluster")
	}
	var all []*kgo.Record
	for n := range 40 { // forty in twenty seconds
		all = append(all, rejected(n, time.Duration(n)*500*time.Millisecond, 10*n, "venue_down"))
	}
	all = append(all,
		rejected(7, 30*time.Second, 70, "venue_down"), // throttled
		rec("trade-executions", 1, time.Minute, `{"kind":"accepted","qty":1}`),
		rec("trade-executions", 1, 2*time.Minute, `{"kind":"rejec`),
		rec("trade-executions", 2, 3*time.Minute, `{"kind":"rejec`),
		&kgo.Record{Topic: "trade-executions", Timestamp: monday.Add(3 * time.Minute), Key: []byte("k")}, // a tombstone
		drawdown(time.Minute, "ACC-1", 0.06), drawdown(2*time.Minute, "ACC-1", 0.07), drawdown(3*time.Minute, "ACC-2", 0.01), drawdown(4*time.Minute, "ACC-2", 0.01), drawdown(90*time.Minute, "ACC-1", 0.02),
		rec("portfolio-updates", 1, time.Hour, `{"kind":"restricted","account":"ACC-3"}`),
		zipped(rejected(50, 2*time.Hour, 900, "limit")),
	)
	produce(t, c, all...)
}

func produce(t testing.TB, c *testkafka.Cluster, records ...*kgo.Record) {
	t.Helper()
	cl := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for _, r := range records { // one batch each, so that no other's timestamp counts
		if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}
