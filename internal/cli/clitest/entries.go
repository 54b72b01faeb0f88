package clitest

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

var monday = time.Date(2026, 11, 23, 14, 31, 5, 0, time.UTC)

// Undecodable returns an undecodable record; its id derives from n.
func Undecodable(n int, topic topics.Name) *dlq.Entry {
	src := alert.Source{Cluster: "c", Topic: "AAAAAAAAAAAAAAAAAAAAAA", Partition: int32(n % 6), Offset: int64(100 + n)}
	return &dlq.Entry{
		ID: alert.NewEntry("g", src),
		Envelope: &envelope.Envelope{Source: envelope.Source{
			Topic: string(topic), TopicID: src.Topic, Partition: src.Partition, Offset: src.Offset, Time: monday,
			Key: fmt.Appendf(nil, "ses-%04x", n), Value: []byte(`{"event_type":"order.rej`), Headers: []kgo.RecordHeader{{Key: "source", Value: []byte("oms")}},
		}},
		Reason: outcome.Undecodable, Scope: outcome.Message, Cause: outcome.Truncated, Detail: fmt.Sprintf("not JSON at byte %d (truncated)", 20+n),
		Attempts: 1, FirstFailed: monday.Add(time.Duration(n) * time.Minute), LastFailed: monday.Add(time.Duration(n) * time.Minute), State: dlq.Open,
	}
}

// Refused returns a refused delivery.
func Refused(n int, rule, channel string) *dlq.Entry {
	e := Undecodable(n, topics.TradeExecutions)
	e.Envelope.Source.Value = fmt.Appendf(nil, `{"event_type":"order.rejected","symbol":"NVDA","n":%d}`, n)
	a := &alert.Alert{
		ID: fmt.Sprint("al_", n), Rule: rule, Severity: alert.Warning, Key: []string{"ACC-1007", "R103"},
		Title:  alert.Text{{Text: "Rejected: "}, {Text: "NVDA", Value: true}, {Text: " buy 400"}},
		Fields: []alert.Field{{Label: "strategy", Value: alert.Text{{Text: "mean-rev-7", Value: true}}}}, EventTime: monday, Topic: string(topics.TradeExecutions),
	}
	e.Envelope.Alert, e.Envelope.Channel, e.Envelope.Delivery = a, channel, alert.NewDelivery(a.ID, channel)
	e.ID, e.Reason, e.Cause, e.Detail = e.Envelope.Delivery, outcome.Refused, outcome.PayloadRefused, fmt.Sprintf("HTTP 422: no field order_%d", n)
	return e
}

// Mixed returns various dead letters, the oldest first.
func Mixed() []*dlq.Entry {
	quarantined := Refused(7, "order-rejected", "risk-hook")
	quarantined.State, quarantined.Replays = dlq.Quarantined, 3
	ambiguous := Refused(8, "drawdown", "desk-mail")
	ambiguous.Reason, ambiguous.Scope, ambiguous.Cause, ambiguous.Detail = outcome.Unconfirmed, outcome.Channel, outcome.Reset, "connection lost after the message was written"
	recipient := Refused(9, "forward-test-diverges", "desk-mail")
	recipient.Reason, recipient.Scope, recipient.Cause, recipient.Detail = outcome.BadRecipient, outcome.Recipient, outcome.RecipientRefused, `550 5.1.1 "nobody@example.com": no such user`
	recipient.Recipients, recipient.Attempts = []string{"nobody@example.com"}, 2
	return []*dlq.Entry{
		Undecodable(1, topics.TradeExecutions), Undecodable(2, topics.PortfolioUpdates), Undecodable(3, topics.ForwardTestEvents),
		Refused(4, "order-rejected", "risk-hook"), Refused(5, "order-rejected", "risk-hook"), Refused(6, "order-rejected", "risk-hook"),
		quarantined, ambiguous, recipient,
	}
}

func WriteEntries(t testing.TB, c *testkafka.Cluster, entries ...*dlq.Entry) {
	t.Helper()
	w := dlq.NewWriter(dlq.WriterParams{Client: c.Client(kafka.DeadLetterOptions(kafka.MaxMessageBytes(c.Shapes(nil)))...), Group: c.Group, Logger: slog.New(slog.DiscardHandler)})
	for _, e := range entries { // one by one: their order is that of the log
		if err := w.Write(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		for at := time.Now().UnixMilli(); time.Now().UnixMilli() == at; { // topics are merged by their records' times
			runtime.Gosched()
		}
	}
}

// DeadLetters returns the entries of a topic.
func DeadLetters(t testing.TB, c *testkafka.Cluster, of ...topics.Name) []*dlq.Entry {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	entries, err := dlq.NewReader(c.Client(), c.Group).List(ctx, of...)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}
