//go:build synctests

package endtoend

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/topics"
)

// greylisting asks for a later attempt, in an hour, of every second alert, the first
// time, and takes the others.
type greylisting struct {
	mu        sync.Mutex
	tries     map[string]int
	delivered map[string]int
}

// Send implements channel.Channel.
func (g *greylisting) Send(_ context.Context, m channel.Message) (channel.Receipt, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	title := m.Alert.Title.String()
	var n int
	_, _ = fmt.Sscanf(title, "k0/%d", &n)
	if g.tries[title]++; n%2 == 1 && g.tries[title] == 1 {
		return channel.Receipt{}, &outcome.Error{Cause: outcome.Greylisted, Detail: "450", RetryAfter: time.Hour}
	}
	g.delivered[title]++
	return channel.Receipt{}, nil
}

func (g *greylisting) counts() (delivered, duplicates int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, n := range g.delivered {
		duplicates += n - 1
	}
	return len(g.delivered), duplicates
}

// TestHundredsOfGapsCauseNoDuplicates has so many deliveries wait that a commit
// could not list them all. Those that it could not list are not started, so the
// next owner sends no duplicate and delivers the rest.
func TestHundredsOfGapsCauseNoDuplicates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		g := &greylisting{tries: map[string]int{}, delivered: map[string]int{}}
		w.channel, w.window = g, kafka.Defaults().Window
		first := w.node()
		time.Sleep(5 * time.Second)
		const alerts = 12_000 // 3,000 for each partition of the outbox
		cl := w.client(kgo.ProducerLinger(0))
		for i := range alerts {
			cl.Produce(w.ctx, &kgo.Record{Topic: string(topics.TradeExecutions), Value: fmt.Appendf(nil, `{"alert":true,"k":"k0","n":%d}`, i)}, nil)
		}
		if err := cl.Flush(w.ctx); err != nil {
			t.Fatal(err)
		}
		cl.Close()
		time.Sleep(time.Minute)
		if n, _ := g.counts(); n == 0 || n >= alerts/2 {
			t.Errorf("%d are delivered while half of all wait: it should have stopped before the list is full", n)
		}
		first.stop()
		second := w.node()
		for range 3*60 + 5 { // three rounds of an hour: each takes as many as a commit can list
			if n, _ := g.counts(); n == alerts {
				break
			}
			time.Sleep(time.Minute)
		}
		time.Sleep(time.Minute)
		second.stop()
		if n, duplicates := g.counts(); n != alerts || duplicates != 0 {
			t.Errorf("%d of %d are delivered, %d of them twice", n, alerts, duplicates)
		}
	})
}
