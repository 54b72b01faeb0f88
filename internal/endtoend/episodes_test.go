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

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/topics"
)

const episodeRules = `
version: 1
rules:
  - {name: margin, topic: portfolio-updates, when: event.ratio > 0.9, clear: event.ratio < 0.85, remind: 1m, key: [event.k], to: [hook], title: "{{ event.k }}/{{ event.n }}"}
`

// teller is a provider that notes what it was told of each key.
type teller struct {
	t    *testing.T
	mu   sync.Mutex
	told map[string][]saying // by key
}

type saying struct {
	n        int
	state    alert.State
	again    bool
	reminder bool
}

func (c *teller) Send(_ context.Context, m channel.Message) (channel.Receipt, error) {
	time.Sleep(20 * time.Millisecond)
	c.mu.Lock()
	defer c.mu.Unlock()
	k, n := 0, 0
	if _, err := fmt.Sscanf(m.Alert.Title.String(), "k%d/%d", &k, &n); err != nil {
		c.t.Errorf("title %q", m.Alert.Title)
	}
	if m.Alert.State == alert.Resolved && m.Since.IsZero() {
		c.t.Errorf("%s does not say since when it fired", m.Alert.Title)
	}
	key := fmt.Sprint("k", k)
	c.told[key] = append(c.told[key], saying{n: n, state: m.Alert.State, again: m.MayBeDuplicate, reminder: m.Reminder})
	return channel.Receipt{ID: m.Delivery}, nil
}

// TestFiringIsResolvedOnceThroughRestarts: the values of some keys rise and fall, while the
// daemon is restarted or killed. Each episode ends with one message, which comes after
// those that say that it fires, and what only fell is not told.
func TestFiringIsResolvedOnceThroughRestarts(t *testing.T) {
	for i := range uint64(5) {
		seed := 1000*(*firstSeed-1) + i
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { episodesThroughRestarts(t, seed) })
		})
	}
}

func episodesThroughRestarts(t *testing.T, seed uint64) {
	const keys, each = 6, 300
	random := rand.New(rand.NewPCG(seed, 12))
	w, provider := newWorld(t), &teller{t: t, told: make(map[string][]saying)}
	set, faults := rule.Compile("rules.yaml", []byte(episodeRules), rule.Environment{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	w.set, w.channel = set, provider
	ratios := make([][]float64, keys)
	for k := range ratios {
		ratio := 0.5
		for range each {
			if random.IntN(20) == 0 { // it stays for a while
				ratio = []float64{0.5, 0.87, 0.95}[random.IntN(3)]
			}
			ratios[k] = append(ratios[k], ratio)
		}
		ratios[k][each-1] = 0.5
	}
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
					Topic: string(topics.PortfolioUpdates), Key: fmt.Append(nil, "k", k),
					Value: fmt.Appendf(nil, `{"ratio":%v,"k":"k%d","n":%d,"timestamp":%q}`, ratios[k][n], k, n, at.UTC().Format(time.RFC3339Nano)),
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
	reminders := 0
	for k := range keys {
		reminders += judgeKey(t, k, ratios[k], provider.told[fmt.Sprint("k", k)])
	}
	if reminders == 0 {
		t.Error("nothing was told again")
	}
	w.close()
}

// judgeKey compares what was told of a key with its values, and returns how many
// reminders there were.
func judgeKey(t *testing.T, k int, ratios []float64, told []saying) (reminders int) {
	t.Helper()
	type interval struct{ from, to int } // the first that fires, and the one that clears
	var episodes []interval
	open := -1
	for n, ratio := range ratios {
		switch {
		case ratio > 0.9 && open < 0:
			open = n
		case ratio < 0.85 && open >= 0:
			episodes = append(episodes, interval{open, n})
			open = -1
		}
	}
	fires, ends := make(map[int]int), make(map[int]int) // by episode
	last := -1                                          // the episode that was told last
	for _, s := range told {
		at := -1
		for i, e := range episodes {
			if s.n >= e.from && s.n <= e.to {
				at = i
			}
		}
		resolves := s.state == alert.Resolved
		switch {
		case at < 0 || resolves != (s.n == episodes[at].to):
			t.Errorf("k%d/%d is told as %q, it belongs to no episode of %v", k, s.n, s.state, episodes)
			return reminders
		case at < last && !s.again:
			t.Errorf("k%d/%d of an earlier episode is told after another", k, s.n)
		case s.reminder:
			if reminders++; ends[at] > 0 && !s.again {
				t.Errorf("k%d: a reminder of %d comes after its end", k, s.n)
			}
		case resolves && (ends[at] == 0 || !s.again):
			ends[at]++
		case !resolves && (fires[at] == 0 || !s.again):
			if fires[at]++; ends[at] > 0 && !s.again {
				t.Errorf("k%d/%d is told after its end", k, s.n)
			}
		}
		last = max(last, at)
	}
	for i, e := range episodes {
		if ends[i] != 1 || fires[i] > 1 {
			t.Errorf("k%d: the episode %v is told %d times, and its end %d times", k, e, fires[i], ends[i])
		}
	}
	return reminders
}
