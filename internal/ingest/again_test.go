package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/consume"
)

// holding is a history of these deliveries.
type holding map[string]bool

// Look implements History.
func (h holding) Look(_ context.Context, _, delivery string, _ time.Time) (holds, held bool, err error) {
	return h[delivery], false, nil
}

// TestResolvedIsNotRaisedAgain where the outboxes hold it; what they do not hold is doubtful,
// since ingest may have known then that the key was resolved.
func TestResolvedIsNotRaisedAgain(t *testing.T) {
	source := alert.Source{Cluster: "c", Topic: "t", Offset: 7}
	h := New(Params{Group: "g", Program: marginRules(t), Logger: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(), Fallbacks: map[string]string{"slack": "mail"}})
	alerts := []alert.Alert{
		{Rule: "margin", Channels: []string{"slack"}},
		{Rule: "margin", State: alert.Resolved, Channels: []string{"slack"}},
	}
	held := holding{}
	for i := range alerts {
		h.identify(&alerts[i], source)
		held[alert.NewDelivery(alerts[i].ID, "slack")] = true
	}
	h.p.History = held
	b := &Batch{h: h}
	left, doubtful, ok := b.unsent(t.Context(), &kgo.Record{}, alerts)
	if !ok || len(left) != 1 || left[0].State != alert.Resolved || fmt.Sprint(left[0].Channels) != "[mail]" {
		t.Fatalf("raised again: %+v", left)
	}
	if !doubtful[alert.NewDelivery(left[0].ID, "mail")] {
		t.Error("it is not doubtful that it is new")
	}
}

// TestRecordEvaluatedAgainIsAlerted, whatever the outboxes hold of it.
func TestRecordEvaluatedAgainIsAlerted(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	steps := consume.NewSteps(consume.Params{Name: "ingest", Topics: []string{"t"}, Window: consume.Window{Records: 100, Bytes: 1 << 20}, Logger: log})
	p, _ := steps.Assign("t", 0, "id", 1, nil)
	h := New(Params{Program: Program{Decoder: everyOne{}, Rules: everyOne{}}, Topics: []string{"t"}, Logger: log, Registry: prometheus.NewRegistry()})
	r := &kgo.Record{Topic: "t", Value: []byte("{}")}
	b := h.Begin(p, steps.Deliver(p, []*kgo.Record{r}), nil)
	b.again = time.Now().Add(time.Hour)
	h.p.History = holding{alert.NewDelivery(alert.NewID("", h.Identity(b.source(r)), "every"), "hook"): true}
	if !b.Step(t.Context()) {
		t.Fatal("it is not settled")
	}
	if alerted, cleared := testutil.ToFloat64(b.count.alerted), testutil.ToFloat64(b.count.cleared); alerted != 1 || cleared != 0 {
		t.Errorf("%v alerted, %v cleared", alerted, cleared)
	}
}
