//go:build synctests

package endtoend

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/topics"
)

// TestSteadyAlertsNeedFewRequests: at 500 alerts a second, each in a record batch of its
// own, an alert takes one produce request and one fetch of each stage. Commits and the
// delivery log are shared.
func TestSteadyAlertsNeedFewRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.channel = answering(func() error { return nil })
		n := w.node()
		defer n.stop()
		cl := w.client(kgo.ProducerLinger(0))
		defer cl.Close()
		w.one()
		time.Sleep(5 * time.Second) // the groups are joined
		commits, produced, fetched := w.count(kmsg.OffsetCommit), w.count(kmsg.Produce), w.count(kmsg.Fetch)
		const seconds, rate = 4, 500
		for i := range seconds * rate {
			cl.Produce(w.ctx, &kgo.Record{
				Topic: string(topics.TradeExecutions), Key: fmt.Append(nil, "k", i%100), Value: fmt.Appendf(nil, `{"alert":true,"k":"k%d","n":%d}`, i%100, i),
			}, nil)
			time.Sleep(time.Second / rate)
		}
		for _, of := range []struct {
			what      string
			got, most int64 // per second
		}{
			{"commits", commits.Load() / seconds, 55},                    // 40 of outboxes and 10 of sources
			{"produce requests", produced.Load() / seconds, 2*rate + 15}, // those of this test, and 10 of the delivery log
			{"fetches", fetched.Load() / seconds, 2*rate + 30},           // and long polls that nothing came to
		} {
			if of.got > of.most || of.got == 0 {
				t.Errorf("%d %s a second: at most %d", of.got, of.what, of.most)
			}
		}
	})
}
