package dlq_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// token is a secret of the configuration.
const token = "xoxb-4711-deadbeefdeadbeef"

// limited returns a cluster whose dead-letter topics take messages of so many
// bytes, and a writer that believes they take more, as after a limit was lowered.
func limited(t *testing.T, limit string, logs *bytes.Buffer, reg prometheus.Registerer, written func(*dlq.Entry)) (*testkafka.Cluster, *dlq.Writer) {
	t.Helper()
	c := testkafka.Bare(t)
	shapes := c.Shapes(nil)
	for i := range shapes {
		if shapes[i].Role == kafka.RoleDeadLetter {
			shapes[i].Configs["max.message.bytes"] = limit
		}
	}
	c.Make(shapes...)
	believed := func(string) int32 { return 2 << 20 }
	redactor := secret.NewRedactor()
	redactor.Add(token)
	return c, dlq.NewWriter(dlq.WriterParams{Client: c.Client(kafka.DeadLetterOptions(believed)...), Group: c.Group, Redactor: redactor, Logger: slog.New(slog.NewTextHandler(logs, nil)), Registry: reg, Written: written})
}

// noise is text that compresses badly, so that its size is close to what is stored.
func noise(n int) string {
	b := make([]byte, n/2)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return hex.EncodeToString(b)
}

// large returns an entry of an alert whose every part is as large as it can be.
func large(id string) *dlq.Entry {
	e := entry(id, []byte(noise(500_000)))
	e.Envelope.Source.Key = []byte(noise(100_000))
	for range 1000 {
		e.Envelope.Source.Headers = append(e.Envelope.Source.Headers, kgo.RecordHeader{Key: "h", Value: []byte(noise(100))})
	}
	a := &alert.Alert{Rule: "order-rejected", Severity: alert.Critical, EventID: noise(100_000), Title: alert.Text{{Text: noise(300_000), Value: true}}}
	a.Bound()
	e.Envelope.Alert, e.Envelope.Delivery, e.Envelope.Channel = a, id, "desk"
	e.Detail, e.Recipients = noise(5000), slices.Repeat([]string{"desk@example.com"}, 500)
	e.Delivered = e.Recipients
	return e
}

// TestDeadLetterTakesTheLargestFormThatFits: whatever the limit of the topic, the
// entry is in it, with what fits, and always with where its record is.
func TestDeadLetterTakesTheLargestFormThatFits(t *testing.T) {
	for _, tc := range []struct {
		limit                string
		value, alert, detail bool
	}{
		{limit: "1000000", value: true, alert: true, detail: true},
		{limit: "100000", alert: true},
		{limit: "1200"},
	} {
		t.Run(tc.limit, func(t *testing.T) {
			var logs bytes.Buffer
			c, w := limited(t, tc.limit, &logs, nil, nil)
			want := large("dl_1")
			write(t, w, want)
			got := list(t, c)[0]
			s := got.Envelope.Source
			if got.State != dlq.Open || got.ID != "dl_1" || s.Topic != string(topics.TradeExecutions) || s.Partition != 3 || s.Offset != 118 ||
				got.Rule() != "order-rejected" || got.Envelope.Channel != "desk" || got.Reason != outcome.Undecodable || got.Fingerprint() != want.Fingerprint() {
				t.Errorf("%+v", got)
			}
			if has := len(s.Value) > 0; has != tc.value || got.Pointer == tc.value {
				t.Errorf("value kept: %v, pointer: %v", has, got.Pointer)
			}
			if has := got.Envelope.Alert != nil; has != tc.alert {
				t.Errorf("alert kept: %v", has)
			}
			if has := got.Detail != ""; has != tc.detail {
				t.Errorf("detail kept: %v", has)
			}
			if said := strings.Contains(logs.String(), "pointer"); said == tc.value {
				t.Errorf("log %q", logs.String())
			}
		})
	}
}

// TestTooLargeBatchIsRetriedOneByOne: brokers refuse a whole batch for
// its size; each of its entries fits.
func TestTooLargeBatchIsRetriedOneByOne(t *testing.T) {
	var logs bytes.Buffer
	c, w := limited(t, "60000", &logs, nil, nil)
	var entries []*dlq.Entry
	for i := range 20 {
		e := entry(fmt.Sprintf("re_%d", i), []byte(noise(40_000)))
		e.Detail += " " + token
		entries = append(entries, e)
	}
	write(t, w, entries...)
	got := list(t, c)
	for _, e := range got {
		if strings.Contains(e.Detail, token) {
			t.Fatalf("%s contains a secret: %s", e.ID, e.Detail)
		}
		if e.Pointer || len(e.Envelope.Source.Value) != 40_000 || e.Detail == "" {
			t.Fatalf("%s lost something: %d bytes of value, detail %q", e.ID, len(e.Envelope.Source.Value), e.Detail)
		}
	}
	if len(got) != len(entries) {
		t.Errorf("%d entries", len(got))
	}
}

// TestUnwritableDeadLetterIsCountedAndLogged: it is no error, so that the
// partition continues, and the log says where the record can be read.
func TestUnwritableDeadLetterIsCountedAndLogged(t *testing.T) {
	var logs bytes.Buffer
	reg := prometheus.NewRegistry()
	observed := 0
	c, w := limited(t, "100", &logs, reg, func(*dlq.Entry) { observed++ })
	e := large("dl_1")
	write(t, w, e, large("dl_2"))
	closing := &dlq.Closure{Topic: topics.DeadLetter(c.Group, topics.TradeExecutions), Key: []byte("dl_3"), Closing: dlq.Closing{State: dlq.Resolved, By: "ops", Comment: noise(500), At: time.Now()}}
	if err := w.CloseEntries(t.Context(), closing); err != nil {
		t.Errorf("closing: %v", err)
	}
	if n := len(list(t, c)); n != 0 || observed != 0 || e.Offset != -1 {
		t.Errorf("%d entries, %d observed, offset %d", n, observed, e.Offset)
	}
	if n := strings.Count(logs.String(), "level=ERROR"); n != 3 || !strings.Contains(logs.String(), "topic=trade-executions partition=3 offset=118 entry=dl_1 rule=order-rejected channel=desk") {
		t.Errorf("%d lines: %s", n, logs.String())
	}
	const want = `
# HELP notifier_dead_letters_refused_total Dead letters, and closings of dead letters, that the brokers refuse as too large even in their smallest form: they are in the log only.
# TYPE notifier_dead_letters_refused_total counter
notifier_dead_letters_refused_total{topic="forward-test-events"} 0
notifier_dead_letters_refused_total{topic="portfolio-updates"} 0
notifier_dead_letters_refused_total{topic="trade-executions"} 3
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "notifier_dead_letters_refused_total"); err != nil {
		t.Error(err)
	}
}

// TestClosingLosesItsCommentBeforeItFails: the entry is closed without it.
func TestClosingLosesItsCommentBeforeItFails(t *testing.T) {
	var logs bytes.Buffer
	c, w := limited(t, "1200", &logs, nil, nil)
	write(t, w, entry("re_1", nil))
	closing := &dlq.Closure{
		Topic: topics.DeadLetter(c.Group, topics.TradeExecutions), Key: []byte("re_1"),
		Closing: dlq.Closing{State: dlq.Resolved, By: noise(900), Comment: noise(902), At: time.Now()},
	}
	if err := w.CloseEntries(t.Context(), closing); err != nil {
		t.Fatal(err)
	}
	if n := len(list(t, c)); n != 0 {
		t.Errorf("%d entries are open", n)
	}
}
