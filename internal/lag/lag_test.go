package lag

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// watched is a monitor of one channel's outbox and the sources, looked at by
// hand.
type watched struct {
	*Monitor
	t      *testing.T
	c      *testkafka.Cluster
	outbox string
	log    *bytes.Buffer
	reg    *prometheus.Registry
}

func watch(t *testing.T, partitions int) *watched {
	c := testkafka.Start(t, []kafka.Channel{{Name: "desk", Partitions: partitions}})
	w := &watched{t: t, c: c, outbox: topics.Outbox(c.Group, "desk"), log: &bytes.Buffer{}, reg: prometheus.NewRegistry()}
	log := slog.New(slog.NewJSONHandler(w.log, nil))
	list := []Topic{{Name: w.outbox, Group: topics.OutboxGroup(c.Group), Channel: "desk"}}
	for _, name := range topics.All() {
		list = append(list, Topic{Name: string(name), Group: c.Group})
	}
	w.Monitor = New(Params{
		Client: c.Client(), Log: dlq.NewLog(c.Client()), Cluster: c.ID, Topics: list, Outboxes: topics.Outbox(c.Group, ""),
		OutboxGroup: topics.OutboxGroup(c.Group), Brokers: []string{"kafka:9092"}, Registry: w.reg,
		Logger: log, Conditions: health.New(log, nil),
	})
	return w
}

func (w *watched) now() Backlog {
	w.t.Helper()
	if err := w.update(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return w.Backlog(w.outbox)
}

// put writes alerts that have waited since then.
func (w *watched) put(partition int32, n int, since time.Time) {
	w.t.Helper()
	var records []*kgo.Record
	for range n {
		records = append(records, &kgo.Record{Topic: w.outbox, Partition: partition, Timestamp: since, Value: []byte("x")})
	}
	cl := w.c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := cl.ProduceSync(w.t.Context(), records...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *watched) commit(partition int32, at int64, metadata string) {
	w.t.Helper()
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: w.outbox, Partition: partition, At: at, LeaderEpoch: -1, Metadata: metadata})
	if err := w.c.Admin.CommitAllOffsets(w.t.Context(), topics.OutboxGroup(w.c.Group), offsets); err != nil {
		w.t.Fatal(err)
	}
}

func (w *watched) metric(name, label, value string) float64 {
	w.t.Helper()
	families, err := w.reg.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && l.GetName() == label && l.GetValue() == value {
					return m.GetGauge().GetValue()
				}
			}
		}
	}
	return math.NaN()
}

func TestBacklogHasAgeAndRetention(t *testing.T) {
	w := watch(t, 2)
	w.alter("retention.ms", "259200000") // 3 d
	if b := w.now(); !b.Known || b.Waiting != 0 || !b.Oldest.IsZero() || !b.KeptUntil.IsZero() {
		t.Errorf("an empty outbox: %+v", b)
	}
	if left := w.metric("notifier_time_until_loss_seconds", "topic", w.outbox); !math.IsInf(left, 1) {
		t.Errorf("where nothing waits %v seconds are left, want +Inf", left)
	}
	now := time.Now().Truncate(time.Millisecond)
	w.put(0, 5, now.Add(-2*24*time.Hour))
	w.put(0, 5, now.Add(-time.Hour))
	w.put(1, 7, now.Add(-time.Minute))
	expect := func(what string, waiting int64, oldest time.Duration) {
		t.Helper()
		b := w.now()
		if b.Waiting != waiting || !b.Oldest.Equal(now.Add(-oldest)) || !b.KeptUntil.Equal(now.Add(3*24*time.Hour-oldest)) {
			t.Errorf("%s: %d wait since %s, kept until %s", what, b.Waiting, b.Oldest, b.KeptUntil)
		}
		if got := w.metric("notifier_outbox_lag_records", "channel", "desk"); got != float64(waiting) {
			t.Errorf("%s: the lag is %v", what, got)
		}
		age, left := w.metric("notifier_outbox_oldest_seconds", "channel", "desk"), w.metric("notifier_time_until_loss_seconds", "topic", w.outbox)
		if math.Abs(age-oldest.Seconds()) > 60 || math.Abs(age+left-(3*24*time.Hour).Seconds()) > 1 {
			t.Errorf("%s: the oldest is %v s old and kept for %v s", what, age, left)
		}
	}
	expect("nothing is committed", 17, 2*24*time.Hour)
	w.commit(0, 5, offsets.Binding(w.c.ID, ""))
	expect("the oldest are settled", 12, time.Hour)
	w.commit(0, 10, offsets.Binding(w.c.ID, ""))
	expect("a partition is done", 7, time.Minute)
	var gone kadm.Offsets
	gone.Add(kadm.Offset{Topic: w.outbox, Partition: 1, At: 3})
	if _, err := w.c.Admin.DeleteRecords(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	expect("some are deleted", 4, time.Minute)
	w.alter("retention.ms", "-1")
	w.sampler.rules.asked = time.Time{}
	if b := w.now(); b.Waiting != 4 || !b.KeptUntil.IsZero() {
		t.Errorf("unlimited retention: %+v", b)
	}
}

// TestTransactionMarkersAreNoLag: they have offsets and nobody commits
// beyond the last record.
func TestTransactionMarkersAreNoLag(t *testing.T) {
	w := watch(t, 1)
	cl := w.c.Client(kgo.TransactionalID("test-" + w.c.Group))
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: w.outbox, Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := cl.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	testkafka.Eventually(t, 10*time.Second, "it can be read", func() bool { b := w.now(); return !b.Oldest.IsZero() })
	w.commit(0, 1, offsets.Binding(w.c.ID, ""))
	if b := w.now(); b.Waiting != 0 || !b.Oldest.IsZero() {
		t.Errorf("%d wait since %s", b.Waiting, b.Oldest)
	}
	w.put(0, 1, time.Now())
	if b := w.now(); b.Oldest.IsZero() {
		t.Error("what comes behind the marker is not seen")
	}
}

// TestMonitorRestartsForRecreatedTopic: its commits are of the old one.
func TestMonitorRestartsForRecreatedTopic(t *testing.T) {
	w := watch(t, 1)
	w.put(0, 5, time.Now())
	w.now()
	waiting, err := Waiting(t.Context(), w.c.Admin, topics.OutboxGroup(w.c.Group), w.c.ID, w.outbox)
	if err != nil {
		t.Fatal(err)
	}
	w.commit(0, 5, offsets.Binding(w.c.ID, waiting[w.outbox].TopicID))
	w.c.Delete(w.outbox)
	for _, s := range w.c.Shapes([]kafka.Channel{{Name: "desk", Partitions: 1}}) {
		if s.Topic == w.outbox {
			w.c.Make(s)
		}
	}
	since := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	w.put(0, 2, since)
	testkafka.Eventually(t, 10*time.Second, "the new topic's records are found", func() bool {
		return w.update(t.Context()) == nil && w.Backlog(w.outbox).Waiting == 2
	})
	if b := w.Backlog(w.outbox); !b.Oldest.Equal(since) {
		t.Errorf("the oldest is of %s, want %s", b.Oldest, since)
	}
}

func (w *watched) alter(key, value string) {
	w.t.Helper()
	if _, err := w.c.Admin.AlterTopicConfigs(w.t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: key, Value: kadm.StringPtr(value)}}, w.outbox); err != nil {
		w.t.Fatal(err)
	}
	testkafka.Eventually(w.t, 10*time.Second, "the broker knows it", func() bool {
		configs, err := w.c.Admin.DescribeTopicConfigs(w.t.Context(), w.outbox)
		if err != nil || len(configs) != 1 {
			return false
		}
		return slices.ContainsFunc(configs[0].Configs, func(c kadm.Config) bool { return c.Key == key && c.MaybeValue() == value })
	})
	w.sampler.rules.asked = time.Time{}
}

// lines returns what was logged since the last call, by its message.
func (w *watched) lines() (logged []map[string]any) {
	for line := range strings.Lines(w.log.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			w.t.Fatal(err)
		}
		logged = append(logged, m)
	}
	w.log.Reset()
	return logged
}

func TestRetentionAtRiskIsACondition(t *testing.T) {
	w := watch(t, 1)
	w.alter("retention.ms", "864000000") // 10 d
	since := time.Now()
	w.put(0, 3, since)
	day := 24 * time.Hour
	b := w.now()
	for _, step := range []struct {
		after time.Duration
		level string // of a line in the log; empty: none
		set   bool
	}{
		{7 * day, "", false},
		{7*day + 13*time.Hour, "WARN", true}, // less than a quarter is left
		{7*day + 14*time.Hour, "", true},
		{9*day + time.Hour, "ERROR", true}, // less than a tenth
		{9*day + 2*time.Hour, "", true},
	} {
		w.atRisk(&b, since.Add(step.after))
		if set := w.p.Conditions.Text(health.Retention) != ""; set != step.set {
			t.Errorf("after %s the condition is set: %v", step.after, set)
		}
		lines := w.lines()
		switch {
		case len(lines) == 0 && step.level == "":
		case len(lines) != 1 || lines[0]["level"] != step.level:
			t.Errorf("after %s it logs %v, want %q", step.after, lines, step.level)
		case lines[0]["channel"] != "desk" || lines[0]["waiting"] != 3.0 ||
			!strings.Contains(lines[0]["problem"].(string), "notifier channels move desk CHANNEL; or increase the retention: kafka-configs --bootstrap-server kafka:9092 --alter --entity-type topics --entity-name "+w.outbox+" --add-config retention.ms=1728000000"):
			t.Errorf("it logs %v", lines[0])
		}
	}
	w.commit(0, 3, offsets.Binding(w.c.ID, ""))
	w.now()
	if lines := w.lines(); len(lines) != 1 || lines[0]["level"] != "INFO" || w.p.Conditions.Text(health.Retention) != "" {
		t.Errorf("when it is over: %v", lines)
	}
}

func TestUrgency(t *testing.T) {
	for _, c := range []struct {
		left, retention time.Duration
		want            slog.Level
	}{
		{169 * time.Hour, 720 * time.Hour, slog.LevelWarn},
		{181 * time.Hour, 720 * time.Hour, slog.LevelInfo},
		{71 * time.Hour, 720 * time.Hour, slog.LevelError},
		{3 * time.Hour, 4 * time.Hour, slog.LevelInfo}, // short retention, and nothing has waited for long
		{50 * time.Minute, 4 * time.Hour, slog.LevelError},
		{-time.Hour, 720 * time.Hour, slog.LevelError},
		{7 * time.Hour, 0, slog.LevelWarn}, // bounded by bytes alone
		{5 * time.Hour, 0, slog.LevelError},
		{25 * time.Hour, 0, slog.LevelInfo},
	} {
		if got := urgency(c.left, c.retention); got != c.want {
			t.Errorf("%s of %s is %s, want %s", c.left, c.retention, got, c.want)
		}
	}
}

func TestOutboxWithoutChannelIsACondition(t *testing.T) {
	w := watch(t, 1)
	old := []kafka.Channel{{Name: "old", Partitions: 1}}
	for _, s := range w.c.Shapes(old) {
		if s.Role == kafka.RoleOutbox {
			w.c.Make(s)
		}
	}
	desk := w.outbox
	w.outbox = topics.Outbox(w.c.Group, "old")
	w.put(0, 4, time.Now())
	w.commit(0, 1, offsets.Binding(w.c.ID, ""))
	w.outbox = desk
	w.now()
	logged := w.lines()
	if len(logged) != 1 || logged[0]["channel"] != "old" || logged[0]["waiting"] != 3.0 || logged[0]["level"] != "ERROR" {
		t.Errorf("got %v", logged)
	}
	w.now()
	if logged := w.lines(); len(logged) != 0 {
		t.Errorf("and again at once: %v", logged)
	}
	w.outbox = topics.Outbox(w.c.Group, "old")
	w.commit(0, 4, offsets.Binding(w.c.ID, ""))
	w.outbox = desk
	w.now()
	if text := w.p.Conditions.Text(health.Unconfigured); text != "" {
		t.Errorf("nothing waits, and it is still set: %s", text)
	}
}

func TestRetentionBytesBoundsKeptUntil(t *testing.T) {
	now := time.Now()
	at := topicPart{"t", 0}
	// 100 bytes each; 600 of 1,000 stand behind the oldest.
	r := retentions{sizes: map[topicPart]int64{at: 100_000}, byTopic: map[string]retention{"t": {age: 24 * time.Hour, bytes: 96_000}}}
	w := Part{Start: 0, End: 1000}
	if got := r.keptUntil(at, now, 400, w, 10, now); !got.Equal(now.Add(36 * time.Second)) {
		t.Errorf("at 10 a second it is kept for %s, want 36 s: 360 more fit", got.Sub(now))
	}
	if got := r.keptUntil(at, now, 400, w, 0, now); !got.Equal(now.Add(24 * time.Hour)) {
		t.Errorf("a log that does not grow keeps it for %s", got.Sub(now))
	}
	if got := r.keptUntil(at, now, 0, w, 10, now); !got.Equal(now) {
		t.Errorf("what is beyond the bound already is kept for %s", got.Sub(now))
	}
}

func TestDescribeBacklog(t *testing.T) {
	now := time.Date(2026, 12, 1, 9, 31, 0, 0, time.Local)
	b := Backlog{Waiting: 500_000, Oldest: now.Add(-51 * time.Hour), KeptUntil: time.Date(2026, 12, 26, 9, 31, 0, 0, time.Local)}
	words := func(d time.Duration) string { return "2 d 3 h" }
	if got, want := b.Describe(now, false, words), "500,000 wait, the oldest for 2 d 3 h, kept until 26 Dec 09:31 "+now.Format("MST"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	b.Oldest = now.Add(-time.Second)
	if got := b.Describe(now, true, words); got != "" {
		t.Errorf("of a channel that works got %q", got)
	}
}
