package cli

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// contract is the metrics that dashboards and alerts rely on: a name or a label
// that is missing here breaks someone's. Labels may be added.
const contract = `
notifier_records_total{topic,outcome}
notifier_duplicates_dropped_total{channel}
notifier_alerts_total{rule,severity}
notifier_deliveries_total{channel,outcome}
notifier_delivery_attempts_total{channel,result}
notifier_delivery_duration_seconds{channel}
notifier_outbox_lag_records{channel}
notifier_outbox_oldest_seconds{channel}
notifier_alert_age_seconds{channel}
notifier_outbox_pending{channel}
notifier_channel_state{channel,state}
notifier_dead_letters_total{topic,reason}
notifier_dead_letters_open{topic}
notifier_dead_letter_oldest_seconds{topic}
notifier_dead_letter_write_failures_total{topic}
notifier_replays_total{outcome}
notifier_consumer_lag_records{group,topic,partition}
notifier_consumer_lag_seconds{group,topic}
notifier_topic_available{topic}
notifier_assigned_partitions{topic}
notifier_rebalances_total{event}
notifier_group_errors_total{reason}
notifier_commit_failures_total{}
notifier_partition_blocked{topic,partition,reason}
notifier_events_lost_total{topic}
notifier_time_until_loss_seconds{topic}
notifier_processing_duration_seconds{topic}
notifier_build_info{}
`

// shownMetric is a metric's type and its labels.
type shownMetric struct {
	kind   string
	labels []string
}

func (m shownMetric) String() string { return m.kind + " {" + strings.Join(m.labels, ",") + "}" }

var (
	typeLine   = regexp.MustCompile(`(?m)^# TYPE (notifier_\w+) (\w+)$`)
	sampleLine = regexp.MustCompile(`(?m)^(notifier_\w+)(?:\{(.*)\})? \S+$`)
	labelName  = regexp.MustCompile(`(\w+)="`)
	metricRow  = regexp.MustCompile("(?m)^\\| `(notifier_\\w+)(?:\\{([a-z,]*)\\})?` \\| (\\w+)")
)

// scraped returns the metrics of an exposition.
func scraped(t *testing.T, text string) map[string]shownMetric {
	t.Helper()
	all := make(map[string]shownMetric)
	for _, m := range typeLine.FindAllStringSubmatch(text, -1) {
		all[m[1]] = shownMetric{kind: m[2]}
	}
	for _, s := range sampleLine.FindAllStringSubmatch(text, -1) {
		name := s[1]
		if _, ok := all[name]; !ok { // a histogram's
			name = name[:strings.LastIndexByte(name, '_')]
		}
		var labels []string
		for _, l := range labelName.FindAllStringSubmatch(s[2], -1) {
			if l[1] != "le" {
				labels = append(labels, l[1])
			}
		}
		slices.Sort(labels)
		m, ok := all[name]
		if !ok {
			t.Errorf("%s has no type", s[0])
		}
		if m.labels != nil && !slices.Equal(m.labels, labels) {
			t.Errorf("%s has the labels %v and %v", name, m.labels, labels)
		}
		m.labels = labels
		all[name] = m
	}
	return all
}

// documented returns the metrics of docs/metrics.md.
func documented(t *testing.T) map[string]shownMetric {
	t.Helper()
	all := make(map[string]shownMetric)
	for _, m := range metricRow.FindAllStringSubmatch(document(t, "docs/metrics.md"), -1) {
		labels := strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' })
		slices.Sort(labels)
		all[m[1]] = shownMetric{m[3], labels}
	}
	return all
}

// exposition runs a daemon with every kind of series and returns what it
// exposes once a look at the brokers and the dead letters has been taken.
func exposition(t *testing.T) string {
	t.Helper()
	c := testkafka.Start(t, one("desk", 1))
	clitest.CommitAt(t, c, c.Group+"-orders", 0, 0)
	dir := files(t, c, "  desk: {console: {}}\nlag: {groups: ["+c.Group+"-orders]}\n", fmt.Sprintf(every, "desk"))
	d := start(t, dir)
	text := ""
	testkafka.Eventually(t, 30*time.Second, "the brokers and the dead letters were looked at", func() bool {
		_, text = d.get("/metrics")
		return strings.Contains(text, "notifier_dead_letters_open{") && strings.Contains(text, "notifier_consumer_lag_seconds{")
	})
	return text
}

// TestMetricsMatchDocumentation: a fresh daemon that has seen no
// event shows every metric with its labels, and no other.
func TestMetricsMatchDocumentation(t *testing.T) {
	text := exposition(t)
	shown, docs := scraped(t, text), documented(t)
	for _, name := range slices.Sorted(maps.Keys(shown)) {
		if d, ok := docs[name]; !ok || d.String() != shown[name].String() {
			t.Errorf("%s is %s, and in docs/metrics.md %s", name, shown[name], d)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(docs)) {
		if _, ok := shown[name]; !ok {
			t.Errorf("%s is in docs/metrics.md, and not shown", name)
		}
	}
	for line := range strings.FieldsSeq(contract) {
		name, labels, _ := strings.Cut(strings.TrimSuffix(line, "}"), "{")
		for _, label := range strings.FieldsFunc(labels, func(r rune) bool { return r == ',' }) {
			if !slices.Contains(shown[name].labels, label) {
				t.Errorf("%s is without the label %s", name, label)
			}
		}
		if shown[name].kind == "" {
			t.Errorf("%s is not shown", name)
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestClosedLabelSetsStartAtZero: a rate over a series that was not there
// before misses the first time.
func TestClosedLabelSetsStartAtZero(t *testing.T) {
	text := exposition(t)
	topic := string(topics.TradeExecutions)
	for _, c := range []struct {
		name   string
		values []string
	}{
		{"notifier_records_total{outcome=%q,topic=\"" + topic + "\"}", []string{"ignored", "alerted", "cleared", "dead_lettered", "skipped"}},
		{"notifier_alerts_total{rule=\"every\",severity=%q}", []string{"warning"}},
		{"notifier_deliveries_total{channel=\"desk\",outcome=%q}", []string{"delivered", "digested", "dead_lettered", "expired", "throttled", "silenced", "rerouted", "dropped"}},
		{"notifier_delivery_attempts_total{channel=\"desk\",result=%q}", []string{"ok", "message", "recipient", "transient", "rate", "permanent", "ambiguous", "abandoned"}},
		{"notifier_delivery_duration_seconds_count{channel=%q}", []string{"desk"}},
		{"notifier_alert_age_seconds_count{channel=%q}", []string{"desk"}},
		{"notifier_duplicates_dropped_total{channel=%q}", []string{"desk"}},
		{"notifier_channel_state{channel=\"desk\",state=%q}", []string{"waiting", "recovering", "circuit_open", "suspended"}},
		{"notifier_dead_letters_total{reason=%q,topic=\"" + topic + "\"}", []string{"undecodable", "rule-panic", "rule-budget", "refused", "recipient", "exhausted", "ambiguous", "too-large", "no-longer-routed"}},
		{"notifier_dead_letters_open{topic=%q}", []string{topic}},
		{"notifier_dead_letter_oldest_seconds{topic=%q}", []string{topic}},
		{"notifier_dead_letter_write_failures_total{topic=%q}", []string{topic}},
		{"notifier_replays_total{outcome=%q}", []string{"resolved", "reopened", "quarantined", "dropped"}},
		{"notifier_rebalances_total{event=%q,stage=\"ingest\"}", []string{"revoked", "lost"}},
		{"notifier_group_errors_total{reason=%q,stage=\"ingest\"}", []string{"FENCED_INSTANCE_ID", "OTHER"}},
		{"notifier_commit_failures_total{stage=%q}", []string{"ingest", "dispatch"}},
		{"notifier_events_lost_total{stage=\"ingest\",topic=%q}", []string{topic}},
		{"notifier_processing_duration_seconds_count{stage=\"ingest\",topic=%q}", []string{topic}},
		{"notifier_partition_blocked{partition=\"0\",reason=%q,stage=\"ingest\",topic=\"" + topic + "\"}", []string{"offset", "progress", "read", "transaction", "write"}},
	} {
		for _, value := range c.values {
			if sample := fmt.Sprintf(c.name, value) + " 0\n"; !strings.Contains(text, sample) {
				t.Errorf("there is no %s", sample)
			}
		}
	}
}

// document returns a document of the repository.
func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
