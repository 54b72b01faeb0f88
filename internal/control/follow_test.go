package control_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// following is a follower that runs, and what it has handed on.
type following struct {
	*control.Follower
	mu           sync.Mutex
	taken, ended []control.Request
}

func follow(t *testing.T, c *testkafka.Cluster) *following {
	t.Helper()
	cl := c.Client()
	f := &following{}
	f.Follower = control.NewFollower(control.FollowerParams{
		Admin: kadm.NewClient(cl), Log: dlq.NewLog(cl), Group: c.Group, Cluster: c.ID, Logger: slog.New(slog.DiscardHandler),
		Move: func(q control.Request) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.taken = append(f.taken, q)
		},
		Ended: func(q control.Request) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.ended = append(f.ended, q)
		},
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- f.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *following) got() (taken, ended []control.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append(taken, f.taken...), append(ended, f.ended...)
}

// desk is a cluster with an outbox of two partitions, n records in each.
func desk(t *testing.T, n int) (c *testkafka.Cluster, outbox, id string) {
	t.Helper()
	c = testkafka.Start(t, []kafka.Channel{{Name: "desk", Partitions: 2}, {Name: "mail", Partitions: 1}})
	outbox = topics.Outbox(c.Group, "desk")
	details, err := c.Admin.ListTopics(t.Context(), outbox)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, c, outbox, n)
	return c, outbox, envelope.TopicID(details[outbox].ID)
}

func fill(t *testing.T, c *testkafka.Cluster, outbox string, n int) {
	t.Helper()
	cl := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := range 2 * n {
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: outbox, Partition: int32(i % 2), Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKnownWaitsForEarlierRequests: an outbox may be given to a process
// that has been running for long, right after a former owner has moved alerts
// out of it.
func TestKnownWaitsForEarlierRequests(t *testing.T) {
	c, _, id := desk(t, 5)
	f := follow(t, c)
	for n := range int32(5) {
		<-f.Known()
		if taken, _ := f.got(); len(taken) != int(n) {
			t.Fatalf("%d requests are known of %d", len(taken), n)
		}
		q := control.Request{From: "desk", To: "mail", TopicID: id, Below: map[int32]int64{0: int64(n + 1)}, By: "ann"}
		c.Produce(q.Record(c.Group))
	}
}

// TestMovesEndAtTheLogsEnd: a request that asks for more than there is means
// what there is, so that nothing that comes later goes elsewhere.
func TestMovesEndAtTheLogsEnd(t *testing.T) {
	c, outbox, id := desk(t, 3)
	f := follow(t, c)
	below := map[int32]int64{0: math.MaxInt64, 1: 2, 77: 9}
	for i := range int32(5000) {
		below[1000+i] = math.MaxInt64
	}
	q := control.Request{From: "desk", To: "mail", TopicID: id, Below: below, By: "eve"}
	c.Produce(q.Record(c.Group))
	c.Produce((&control.Request{From: "desk", To: "mail", TopicID: "another", Below: map[int32]int64{0: 1}}).Record(c.Group))
	c.Produce((&control.Request{From: "nosuch", To: "mail", Below: map[int32]int64{0: 1}}).Record(c.Group))
	<-f.Known()
	taken, ended := f.got()
	if want := (map[int32]int64{0: 3, 1: 2}); len(taken) != 1 || !reflect.DeepEqual(taken[0].Below, want) || len(ended) != 0 {
		t.Fatalf("taken %+v, want one below %v; ended %v", taken, want, ended)
	}
	fill(t, c, outbox, 1)
	if taken[0].Covers(id, 0, 3) {
		t.Error("it means what came later")
	}
	open, err := control.Open(t.Context(), c.Admin, dlq.NewLog(c.Client()), c.Group)
	if err != nil || len(open) != 1 || open[0].Below[1] != 2 || open[0].Below[0] != 4 || len(open[0].Below) != 2 {
		t.Errorf("a new reader now knows %+v, %v", open, err)
	}

	// It ends when nothing waits that it means, wherever that was done.
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: outbox, Partition: 0, At: 3})
	offsets.Add(kadm.Offset{Topic: outbox, Partition: 1, At: 2})
	if err := c.Admin.CommitAllOffsets(t.Context(), topics.OutboxGroup(c.Group), offsets); err != nil {
		t.Fatal(err)
	}
	testkafka.Eventually(t, 20*time.Second, "it ended", func() bool {
		_, ended := f.got()
		return len(ended) == 1 && reflect.DeepEqual(ended[0], taken[0])
	})
}

// TestOpenMovesAreLimited: each is looked at for every alert.
func TestOpenMovesAreLimited(t *testing.T) {
	c, _, id := desk(t, 1)
	f := follow(t, c)
	var records []*kgo.Record
	for i := range 1000 {
		q := control.Request{From: "desk", To: "mail", TopicID: id, Below: map[int32]int64{0: 1}, By: fmt.Sprint(i)}
		records = append(records, q.Record(c.Group))
	}
	c.Produce(records...)
	<-f.Known()
	if taken, _ := f.got(); len(taken) != 100 || taken[99].By != "99" {
		t.Errorf("%d are in force", len(taken))
	}
}

// TestRequestUserIsEscaped, whatever the request says.
func TestRequestUserIsEscaped(t *testing.T) {
	name := "eve\x1b[2J\r\n" + strings.Repeat("ä", 5000) + "\xff"
	move, err := control.Parse((&control.Request{From: "a", To: "b", Below: map[int32]int64{0: 1}, By: name}).Record("g"))
	if err != nil {
		t.Fatal(err)
	}
	if by := move.By; len(by) > 64 || !strings.HasPrefix(by, "eve [2J") || strings.ContainsAny(by, "\x1b\r\n") || strings.ToValidUTF8(by, "") != by {
		t.Errorf("by %q", by)
	}
}

// TestUnknownOffsetIsNotTheBeginning: requests that are settled would be handed on
// again.
func TestUnknownOffsetIsNotTheBeginning(t *testing.T) {
	if testkafka.Bare(t).Real() {
		t.Log("a real broker cannot be told to fail")
		return
	}
	c := testkafka.Start(t, nil)
	at := make(kadm.Offsets)
	at.Add(kadm.Offset{Topic: topics.Replay(c.Group), At: 7, LeaderEpoch: -1})
	if err := c.Admin.CommitAllOffsets(t.Context(), c.Group, at); err != nil {
		t.Fatal(err)
	}
	c.FailOffset(c.Group, topics.Replay(c.Group), kerr.UnknownServerError)
	if got, err := control.Settled(t.Context(), c.Admin, c.Group); !errors.Is(err, kerr.UnknownServerError) {
		t.Errorf("settled below %d, %v", got, err)
	}
	if got, err := control.Settled(t.Context(), c.Admin, c.Group); err != nil || got != 7 {
		t.Errorf("settled below %d, %v", got, err)
	}
}
