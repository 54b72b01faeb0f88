package dlq

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

func TestIndexContinuesAfterDeletedRecords(t *testing.T) {
	c := testkafka.Start(t, nil)
	topic := topics.DeadLetter(c.Group, topics.TradeExecutions)
	produce := func(ids ...string) {
		for _, id := range ids {
			c.Produce(&kgo.Record{Topic: topic, Key: []byte(id), Value: []byte("x")})
		}
	}
	produce("re_0")
	x := NewIndex(c.Group, NewReader(c.Client(), c.Group), c.Client(TailOptions()...), slog.New(slog.DiscardHandler))
	found, err := c.Admin.ListTopics(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.refresh(t.Context(), topic, found[topic]); err != nil {
		t.Fatal(err)
	}
	produce("re_1", "re_2")
	below := kadm.Offsets{}
	below.AddOffset(topic, 0, 2, -1)
	if _, err := c.Admin.DeleteRecords(t.Context(), below); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { x.Run(ctx) })
	testkafka.Eventually(t, 10*time.Second, "the index follows", func() bool {
		return x.Last(topic, x.Key(topic, "re_2")) == Last{Open: true, Offset: 2, Read: 3}
	})
	if x.Generation(topic) != 0 || !x.Last(topic, x.Key(topic, "re_0")).Open {
		t.Error("the topic counts as recreated")
	}
}
