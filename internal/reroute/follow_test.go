package reroute_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/reroute"
	"github.com/algotrade/notifier/internal/testkafka"
)

// TestWhoeverAsksKnowsWhatWasAskedForBefore: an outbox may be given to a process
// that has been running for long, right after a former owner has moved alerts
// out of it.
func TestWhoeverAsksKnowsWhatWasAskedForBefore(t *testing.T) {
	c := testkafka.Start(t, nil)
	cl := c.Client()
	taken := new(atomic.Int32)
	f := reroute.NewFollower(kadm.NewClient(cl), dlq.NewLog(cl), c.Group, func(reroute.Request) { taken.Add(1) }, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- f.Run(ctx) }()
	for n := range int32(5) {
		if <-f.Known(); taken.Load() != n {
			t.Fatalf("%d requests are known of %d", taken.Load(), n)
		}
		q := reroute.Request{From: "desk", To: "mail", TopicID: "id", Below: map[int32]int64{0: int64(n + 1)}, By: "ann"}
		c.Produce(q.Record(c.Group))
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
