//go:build synctests

package endtoend

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/topics"
)

// TestDeliveryInFlightIsNotDuplicated: a stop and a revoke wait a moment for what
// is in flight, and what succeeds in it is committed.
func TestDeliveryInFlightIsNotDuplicated(t *testing.T) {
	for name, leave := range map[string]func(w *world, first *node) *node{
		"stop": func(w *world, first *node) *node {
			first.stop()
			return w.node()
		},
		"revoke": func(w *world, first *node) *node {
			second := w.node()
			time.Sleep(20 * time.Second) // the partitions are shared by now
			first.stop()
			return second
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.close()
				w.sink.takes = 700 * time.Millisecond
				first := w.node()
				time.Sleep(5 * time.Second)
				const alerts = 12
				cl := w.client(kgo.ProducerLinger(0))
				for i := range alerts {
					r := &kgo.Record{Topic: string(topics.TradeExecutions), Key: fmt.Append(nil, "k", i), Value: fmt.Appendf(nil, `{"alert":true,"k":"k%d","n":0}`, i)}
					if err := cl.ProduceSync(w.ctx, r).FirstErr(); err != nil {
						t.Fatal(err)
					}
				}
				cl.Close()
				attempts := func() int {
					w.sink.mu.Lock()
					defer w.sink.mu.Unlock()
					return w.sink.attempts
				}
				for attempts() < alerts {
					time.Sleep(10 * time.Millisecond)
				}
				second := leave(w, first)
				time.Sleep(time.Minute)
				second.stop()
				if n := attempts(); n != alerts {
					t.Errorf("%d attempts for %d alerts", n, alerts)
				}
				if n := len(w.sink.delivered); n != alerts {
					t.Errorf("%d of %d alerts are delivered", n, alerts)
				}
			})
		})
	}
}
