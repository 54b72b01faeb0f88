//go:build synctests

package endtoend

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/digest"
	"github.com/algotrade/notifier/internal/outcome"
)

// told is a provider that counts what it is told of each alert.
type told struct {
	mu       sync.Mutex
	rand     *rand.Rand
	alerts   map[string]int // by title
	unmarked int            // told again without saying so
	messages int
}

// Send implements channel.Channel. It fails a little.
func (s *told) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	s.mu.Lock()
	took, fails := time.Duration(1+s.rand.IntN(200))*time.Millisecond, s.rand.IntN(20) == 0
	s.mu.Unlock()
	select {
	case <-time.After(took):
	case <-ctx.Done():
		return channel.Receipt{}, context.Cause(ctx)
	}
	if fails {
		return channel.Receipt{}, outcome.Errorf(outcome.Unavailable, "not now")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages++
	items := []alert.Alert{m.Alert}
	if m.Digest != nil {
		items = m.Digest.Items
	}
	for _, a := range items {
		title := a.Title.String()
		if s.alerts[title]++; s.alerts[title] > 1 && !m.MayBeDuplicate {
			s.unmarked++
		}
	}
	return channel.Receipt{}, nil
}

func (s *told) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.alerts)
}

// TestChurnLosesNoGatheredAlert lets nodes join and leave while alerts are gathered.
func TestChurnLosesNoGatheredAlert(t *testing.T) {
	for seed := range uint64(3) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 11))
			w := newWorld(t)
			defer w.close()
			sink := &told{rand: random, alerts: make(map[string]int)}
			w.channel = sink
			w.digest = digest.Setting{On: true, Own: digest.Config{Window: 2 * time.Second, MaxWindow: 5 * time.Second, MaxItems: 5000}}
			nodes := []*node{w.node()}
			produced := make(chan struct{})
			go func() {
				defer close(produced)
				w.produce(seed)
			}()
			pick := rand.New(rand.NewPCG(seed, 12))
			for range 20 {
				time.Sleep(time.Duration(500+pick.IntN(3000)) * time.Millisecond)
				if len(nodes) == 1 || len(nodes) < 3 && pick.IntN(2) == 0 {
					nodes = append(nodes, w.node())
					continue
				}
				i := pick.IntN(len(nodes))
				leaving := nodes[i]
				nodes = append(nodes[:i], nodes[i+1:]...)
				leaving.stop()
			}
			<-produced
			for waited := 0; sink.count() < keys*perKey; waited++ {
				if waited == 120 {
					t.Fatalf("seed %d: %d of %d alerts are told after two more minutes", seed, sink.count(), keys*perKey)
				}
				time.Sleep(time.Second)
			}
			for _, n := range nodes {
				n.stop()
			}
			duplicates := 0
			for _, n := range sink.alerts {
				duplicates += n - 1
			}
			t.Logf("seed %d: %d alerts in %d messages, %d duplicates", seed, keys*perKey, sink.messages, duplicates)
			if sink.unmarked > 0 || duplicates > keys*perKey/20 || sink.messages > keys*perKey/5 {
				t.Errorf("seed %d: %d messages, %d duplicates, %d of them unmarked", seed, sink.messages, duplicates, sink.unmarked)
			}
		})
	}
}
