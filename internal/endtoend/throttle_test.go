//go:build synctests

package endtoend

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/topics"
)

const throttledRules = `
version: 1
rules:
  - {name: every, topic: trade-executions, when: event.alert == true, key: [event.k], throttle: 10s, to: [hook], title: "{{ event.k }}/{{ event.n }}"}
`

// tenth is a provider of alerts of which every tenth of a key is to be sent, and says how many
// were not.
type tenth struct {
	t        *testing.T
	mu       sync.Mutex
	sends    map[string]int
	repeated int
}

func (c *tenth) Send(_ context.Context, m channel.Message) (channel.Receipt, error) {
	time.Sleep(20 * time.Millisecond)
	c.mu.Lock()
	defer c.mu.Unlock()
	title := m.Alert.Title.String()
	var k, n int
	if _, err := fmt.Sscanf(title, "k%d/%d", &k, &n); err != nil {
		c.t.Errorf("title %q", title)
	}
	switch c.sends[title]++; {
	case n%10 != 0:
		c.t.Errorf("%s is sent, and is throttled", title)
	case c.sends[title] > 1:
		if c.repeated++; !m.MayBeDuplicate {
			c.t.Errorf("%s is sent again unmarked", title)
		}
	case n > 0 && m.Suppressed != 9, n == 0 && m.Suppressed != 0:
		c.t.Errorf("%s tells that %d were throttled", title, m.Suppressed)
	}
	return channel.Receipt{}, nil
}

// TestThrottleHoldsThroughRestarts: alerts of a key come each second, while the
// daemon is restarted or killed. Each tenth is sent, and tells of the nine before it.
func TestThrottleHoldsThroughRestarts(t *testing.T) {
	for i := range uint64(5) {
		seed := 1000*(*firstSeed-1) + i
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { throttleThroughRestarts(t, seed) })
		})
	}
}

func throttleThroughRestarts(t *testing.T, seed uint64) {
	const keys, each = 8, 301
	random := rand.New(rand.NewPCG(seed, 11))
	w, provider := newWorld(t), &tenth{t: t, sends: make(map[string]int)}
	set, faults := rule.Compile("rules.yaml", []byte(throttledRules), rule.Environment{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	w.set, w.channel = set, provider
	produced := make(chan struct{})
	go func() {
		defer close(produced)
		cl := w.client(kgo.ProducerLinger(0))
		defer cl.Close()
		began := time.Now()
		for n := range each {
			at := began.Add(time.Duration(n) * time.Second)
			time.Sleep(time.Until(at))
			for k := range keys {
				r := &kgo.Record{
					Topic: string(topics.TradeExecutions), Key: fmt.Append(nil, "k", k),
					Value: fmt.Appendf(nil, `{"alert":true,"k":"k%d","n":%d,"timestamp":%q}`, k, n, at.UTC().Format(time.RFC3339Nano)),
				}
				if err := cl.ProduceSync(w.ctx, r).FirstErr(); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	n := w.node()
	for stopped := false; !stopped; {
		select {
		case <-produced:
			stopped = true
		case <-time.After(time.Duration(20_000+random.IntN(20_000)) * time.Millisecond): // a member that crashed is evicted after 15 s
			if random.IntN(3) > 0 {
				n.crash()
			} else {
				n.stop()
			}
			n = w.node()
		}
	}
	time.Sleep(time.Minute)
	n.stop()
	for n := 0; n < each; n += 10 {
		for k := range keys {
			if title := fmt.Sprintf("k%d/%d", k, n); provider.sends[title] == 0 {
				t.Errorf("%s is not sent", title)
			}
		}
	}
	t.Logf("%d sent, %d of them again", len(provider.sends), provider.repeated)
	w.close()
}
