package consume

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// TestSecondAssignmentEndsTheFirst: kgo
// does that where it was told to forget a topic while a rebalance was under
// way. The first assignment must not continue beside the second.
func TestSecondAssignmentEndsTheFirst(t *testing.T) {
	m := New(Params{Name: "test", Topics: []string{"t"}, Logger: slog.New(slog.DiscardHandler)})
	close(m.created)
	cl, err := kgo.NewClient()
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	assigned := map[string][]int32{"t": {0}}
	m.onAssigned(context.Background(), cl, assigned)
	first := m.partitions()[0]
	m.onAssigned(context.Background(), cl, assigned)
	all := m.partitions()
	if len(all) != 1 || all[0] == first {
		t.Fatalf("%d assignments, the first among them: %v", len(all), all[0] == first)
	}
	if !first.fenced || first.ctx.Err() == nil {
		t.Error("the first assignment continues")
	}
	if all[0].fenced {
		t.Error("the second is fenced")
	}
}

// idle is a handler that waits for its partition to end.
type idle struct{}

// Handle implements Handler.
func (idle) Handle(ctx context.Context, _ *Partition) { <-ctx.Done() }

// The client may wait for a rebalance before it sends a commit: what was lost
// meanwhile belongs to another member.
func TestSnapshotOfLostPartitionIsNotCommitted(t *testing.T) {
	c := testkafka.Start(t, nil)
	const topic = string(topics.TradeExecutions)
	m := New(Params{
		Name: "test", Group: c.Group, Topics: []string{topic}, Cluster: c.ID, Options: c.Options(), SessionTimeout: 10 * time.Second,
		Window: Window{Records: 10, Bytes: 1 << 20}, Drain: time.Second, Handler: idle{}, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- m.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	committed := func() int64 {
		o, _ := c.Committed(c.Group).Lookup(topic, 0)
		return o.At
	}
	var p *Partition
	testkafka.Eventually(t, 20*time.Second, "the partition is assigned", func() bool {
		m.mu.Lock()
		p = m.parts[topicPartition{topic, 0}]
		m.mu.Unlock()
		return p != nil && p.running()
	})
	m.commitMu.Lock()
	defer m.commitMu.Unlock()
	commit := func(at int64, lost bool) {
		p.AdvanceTo(offsets.Position{Offset: at}, 0)
		s, ok := p.snapshot(false)
		if !ok {
			t.Fatal("nothing to commit")
		}
		if lost {
			m.drop(m.client, map[string][]int32{topic: {0}})
		}
		m.send([]snapshot{s})
	}
	if commit(1, false); committed() != 1 {
		t.Fatalf("committed %d, want 1", committed())
	}
	if commit(2, true); committed() != 1 {
		t.Errorf("committed %d after the partition was lost, want 1", committed())
	}
}
