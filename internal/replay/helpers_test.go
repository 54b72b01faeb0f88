package replay_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

var failed = time.Date(2026, 11, 23, 14, 31, 5, 0, time.UTC)

// entry is a record that failed before its rules ran.
func entry(id string, value []byte) *dlq.Entry {
	return &dlq.Entry{
		ID: id,
		Envelope: &envelope.Envelope{Source: envelope.Source{
			Topic: string(topics.TradeExecutions), TopicID: "AAAAAAAAAAAAAAAAAAAAAA", Partition: 3, Offset: 118, Time: failed.Add(-time.Second),
			Key: []byte("ses-7f3a"), Value: value,
		}},
		Reason: outcome.Undecodable, Scope: outcome.Message, Cause: outcome.Truncated, Detail: "not JSON at byte 3 (truncated)",
		Attempts: 1, FirstFailed: failed, LastFailed: failed, State: dlq.Open,
	}
}

func writer(t *testing.T, c *testkafka.Cluster) *dlq.Writer {
	t.Helper()
	cl := c.Client(kafka.DeadLetterOptions(kafka.MaxMessageBytes(c.Shapes(nil)))...)
	return dlq.NewWriter(dlq.WriterParams{Client: cl, Group: c.Group, Logger: slog.New(slog.DiscardHandler)})
}

func write(t *testing.T, w *dlq.Writer, entries ...*dlq.Entry) {
	t.Helper()
	if err := w.Write(t.Context(), entries...); err != nil {
		t.Fatal(err)
	}
}
