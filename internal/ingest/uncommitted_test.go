package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/offsets"
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

// TestPartitionsShareTheBoundOfUncommitted: all of them may write to one outbox
// partition. Each gets on by one record at least whenever it is committed.
func TestPartitionsShareTheBoundOfUncommitted(t *testing.T) {
	const bound, records, partitions = 10, 30, 4
	log := slog.New(slog.DiscardHandler)
	steps := consume.NewSteps(consume.Params{Name: "ingest", Topics: []string{"t"}, Window: consume.Window{Records: 1000, Bytes: 1 << 20}, Logger: log})
	broker := &prompt{}
	outboxes := outbox.New(outbox.Params{Broker: broker, Group: "g", Channels: []string{"hook"}, Logger: log})
	if err := outboxes.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := New(Params{Program: Program{Decoder: everyOne{}, Rules: everyOne{}, Names: []RuleName{{Rule: "every"}}}, Outboxes: outboxes, Topics: []string{"t"}, Uncommitted: bound, Logger: log, Registry: prometheus.NewRegistry()})
	var parts []*consume.Partition
	var batches []*Batch
	for id := range int32(partitions) {
		p, _ := steps.Assign("t", id, "id", records, nil)
		var list []*kgo.Record
		for i := range int64(records) {
			list = append(list, &kgo.Record{Topic: "t", Partition: id, Offset: i, Value: []byte("{}")})
		}
		parts, batches = append(parts, p), append(batches, h.Begin(p, steps.Deliver(p, list), nil))
	}
	for round := 0; len(batches) > 0; round++ {
		if round > partitions*records {
			t.Fatalf("%d partitions get on no longer", len(batches))
		}
		before := broker.written
		for i := 0; i < len(batches); i++ {
			if batches[i].Step(t.Context()) {
				batches = slices.Delete(batches, i, i+1)
				i--
			}
		}
		if n := broker.written - before; n > bound+partitions {
			t.Fatalf("%d are written without a commit, the bound is %d for all", n, bound)
		}
		for _, p := range parts {
			steps.Commit(p)
		}
	}
	if broker.written != partitions*records {
		t.Errorf("%d are written", broker.written)
	}
}

// TestCommitHasRoomForUncommittedDeliveries of many source partitions, one record's of
// each beyond the bound included.
func TestCommitHasRoomForUncommittedDeliveries(t *testing.T) {
	const partitions = 36
	seen := &offsets.Dedup{}
	var origins []offsets.Origin
	for i := range MostUncommitted + partitions {
		id := fmt.Sprint("dl_", i)
		origins = append(origins, offsets.Origin{
			Input: offsets.Input{Topic: []string{"AAAAAAAAAAAAAAAAAAAAAA", "BBBBBBBBBBBBBBBBBBBBBB", "CCCCCCCCCCCCCCCCCCCCCC"}[i%3], Partition: int32(i % partitions / 3)},
			From:  offsets.Position{Epoch: 12, Offset: 5_000_000_000 + int64(100*i)}, Done: offsets.Position{Epoch: 12, Offset: 5_000_000_000}, Delivery: id,
		})
		seen.Seen(origins[i])
	}
	text := offsets.Metadata{Cluster: "DDDDDDDDDDDDDDDDDDDDDD", TopicID: "EEEEEEEEEEEEEEEEEEEEEE", Dedup: seen, Gaps: offsets.NoGaps, Crash: offsets.CrashMark{Owned: true, First: 1_000_000, Last: 1_000_063}}.Encode(1_000_000)
	restored, err := offsets.DecodeMetadata(text, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	unknown := 0
	for _, o := range origins {
		if !restored.Dedup.Seen(o) {
			unknown++
		}
	}
	if unknown > 0 {
		t.Errorf("%d of %d deliveries would be sent twice", unknown, len(origins))
	}
}
