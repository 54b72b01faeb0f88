//go:build synctests

package endtoend

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/topics"
)

// TestCrashDuplicatesAreBounded: while no commit succeeds, at most 64 deliveries of
// each partition and those in flight are attempted, which is what a crash would
// duplicate.
func TestCrashDuplicatesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.sink.takes = 50 * time.Millisecond
		n := w.node()
		time.Sleep(5 * time.Second)
		refused := w.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: topics.OutboxGroup(group), Err: kerr.CoordinatorLoadInProgress, Count: -1})
		const alerts, partitions, uncommitted, concurrency = 2000, 4, 64, 16
		cl := w.client()
		for i := range alerts {
			cl.Produce(w.ctx, &kgo.Record{
				Topic: string(topics.TradeExecutions), Key: fmt.Append(nil, "k", i), Value: fmt.Appendf(nil, `{"alert":true,"k":"k%d","n":0}`, i),
			}, nil)
		}
		if err := cl.Flush(w.ctx); err != nil {
			t.Fatal(err)
		}
		cl.Close()
		time.Sleep(time.Minute)
		const most = partitions*uncommitted + concurrency
		if got := w.tried(); got < most-concurrency || got > most {
			t.Errorf("%d deliveries were attempted without a commit: at least %d and at most %d should be", got, most-concurrency, most)
		}
		refused.Remove()
		time.Sleep(time.Minute)
		n.stop()
		if got := w.tried(); got != alerts {
			t.Errorf("%d attempts for %d alerts once commits succeed again", got, alerts)
		}
	})
}

func (w *world) tried() int {
	w.sink.mu.Lock()
	defer w.sink.mu.Unlock()
	return w.sink.attempts
}
