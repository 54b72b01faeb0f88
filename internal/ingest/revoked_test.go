package ingest

import (
	"context"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/outcome"
)

// revoking is a dead-letter writer during whose write the partition is revoked.
type revoking struct{ revoke context.CancelFunc }

// Write implements DeadLetters.
func (r revoking) Write(ctx context.Context, _ ...*dlq.Entry) error {
	r.revoke()
	return ctx.Err()
}

// CloseEntries implements DeadLetters.
func (revoking) CloseEntries(context.Context, ...*dlq.Closure) error { return nil }

// poisoned is a decoder that reads nothing.
type poisoned struct{ everyOne }

// Decode implements Decoder.
func (poisoned) Decode(event.Record) (event.Event, error) {
	return event.Event{}, outcome.Errorf(outcome.NotJSON, "not JSON")
}

// TestRevokedPartitionIsNotBlocked: a write that ends with the assignment says
// nothing of the dead-letter topic.
func TestRevokedPartitionIsNotBlocked(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	conditions := health.New(log, nil)
	steps := consume.NewSteps(consume.Params{Name: "ingest", Topics: []string{"t"}, Window: consume.Window{Records: 100, Bytes: 1 << 20}, Conditions: conditions, Logger: log})
	p, _ := steps.Assign("t", 0, "id", 1, nil)
	ctx, cancel := context.WithCancel(t.Context())
	h := New(Params{Program: Program{Decoder: poisoned{}, Rules: everyOne{}}, Dead: revoking{cancel}, Topics: []string{"t"}, Logger: log, Registry: prometheus.NewRegistry()})
	b := h.Begin(p, steps.Deliver(p, []*kgo.Record{{Topic: "t", Value: []byte("poison")}}), nil)
	if b.Step(ctx) {
		t.Error("the batch is settled though its dead letter was not written")
	}
	if text := conditions.Text(health.Blocked); text != "" {
		t.Errorf("the partition is blocked: %s", text)
	}
}
