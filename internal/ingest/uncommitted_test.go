package ingest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/rule"
)

// everyOne raises an alert for each event.
type everyOne struct{}

// Decode implements Decoder.
func (everyOne) Decode(r event.Record) (event.Event, error) { return event.Event{Record: r}, nil }

// Match implements Rules.
func (everyOne) MatchKnown(*event.Event, time.Time, *rule.Resolved) ([]alert.Alert, error) {
	return []alert.Alert{{Rule: "every", Channels: []string{"hook"}}}, nil
}

// prompt is a broker that acknowledges at once.
type prompt struct{ written int }

// LookUp implements outbox.Broker.
func (*prompt) LookUp(context.Context, string) (string, int32, error) { return "id", 1, nil }

// Produce implements outbox.Broker.
func (b *prompt) Produce(r *kgo.Record, done func(*kgo.Record, error)) {
	b.written++
	done(r, nil)
}

// Forget implements outbox.Broker.
func (*prompt) Forget(string) {}

// TestIngestAwaitsCommitsBeyondItsBound: what a crash writes again stays within what
// dispatch can recognise.
func TestIngestAwaitsCommitsBeyondItsBound(t *testing.T) {
	const bound, records = 10, 38
	log := slog.New(slog.DiscardHandler)
	steps := consume.NewSteps(consume.Params{Name: "ingest", Topics: []string{"t"}, Window: consume.Window{Records: 100, Bytes: 1 << 20}, Logger: log})
	p, _ := steps.Assign("t", 0, "id", records, nil)
	broker := &prompt{}
	outboxes := outbox.New(outbox.Params{Broker: broker, Group: "g", Channels: []string{"hook"}, Logger: log})
	if err := outboxes.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := New(Params{Program: Program{Decoder: everyOne{}, Rules: everyOne{}, Names: []RuleName{{Rule: "every"}}}, Outboxes: outboxes, Topics: []string{"t"}, Uncommitted: bound, Logger: log, Registry: prometheus.NewRegistry()})
	var list []*kgo.Record
	for i := range int64(records) {
		list = append(list, &kgo.Record{Topic: "t", Offset: i, Value: []byte("{}")})
	}
	b := h.Begin(p, steps.Deliver(p, list), nil)
	committed, commits := 0, 0
	for !b.Step(t.Context()) {
		if n := broker.written - committed; n != bound || p.Uncommitted() != bound {
			t.Fatalf("%d are written and not committed, %d are counted, the bound is %d", n, p.Uncommitted(), bound)
		}
		s, ok := steps.Snapshot(p, false)
		if !ok || s.At.Offset != int64(broker.written) {
			t.Fatalf("%d are written, there is to commit: %v %v", broker.written, ok, s.At)
		}
		steps.Answered(s, nil, false)
		committed = broker.written
		commits++
	}
	if broker.written != records || commits != 3 {
		t.Errorf("%d of %d are written after %d commits", broker.written, records, commits)
	}
}
