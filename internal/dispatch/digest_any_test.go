package dispatch

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/outcome"
)

var schedules = flag.Int("schedules", 30, "drawn schedules of TestNoAlertOfADigestIsLost")

// fate is what became of the alerts of one log of an outbox, whoever owned it.
type fate struct {
	mu    sync.Mutex
	rnd   *rand.Rand
	fail  bool           // the channel fails from time to time
	told  map[string]int // by delivery
	order map[string]int // the last alert told of each group, by the present owner
	wrong []string
}

// answer tells a message, or fails in one of all ways.
func (f *fate) answer(m channel.Message, _ int) (channel.Receipt, error) {
	f.mu.Lock()
	took := time.Duration(f.rnd.IntN(300)) * time.Millisecond
	f.mu.Unlock()
	time.Sleep(took)
	f.mu.Lock()
	defer f.mu.Unlock()
	lost, receipt := false, channel.Receipt{ID: m.Delivery}
	if f.fail {
		switch f.rnd.IntN(14) {
		case 0, 1:
			return channel.Receipt{}, errDown
		case 2:
			return channel.Receipt{}, errRefused
		case 3:
			return revoked(m, 0)
		case 4:
			return channel.Receipt{}, &outcome.Error{Cause: outcome.RateLimited, Detail: "429", RetryAfter: 5 * time.Second, Answered: true}
		case 5:
			lost = true // its answer is
		case 6:
			return channel.Receipt{}, outcome.Errorf(outcome.MaybeProcessed, "502")
		case 7:
			receipt.Accepted, receipt.Refused = []string{"a"}, []channel.Refusal{{Recipient: "b", Err: errRefused}}
		case 8:
			receipt.Accepted = []string{"a"}
			receipt.Deferred = []channel.Refusal{{Recipient: "b", Err: &outcome.Error{Cause: outcome.Greylisted, RetryAfter: time.Minute}}}
		}
	}
	if m.Digest != nil && m.Digest.Items == nil {
		return channel.Receipt{}, errRefused // else the test does not see whom it speaks for
	}
	least, most := make(map[string]int), make(map[string]int)
	for _, a := range itemsOf(m) {
		f.told["dl_"+a.ID]++
		var i int
		_, _ = fmt.Sscan(a.ID, &i)
		g := a.Group[0]
		if _, found := least[g]; !found || i < least[g] {
			least[g] = i
		}
		most[g] = max(most[g], i)
	}
	for g, i := range least {
		if last, found := f.order[g]; found && i < last && !m.MayBeDuplicate && m.Recipients == nil {
			f.wrong = append(f.wrong, fmt.Sprintf("%d of %s is told after %d", i, g, last))
		}
		f.order[g] = max(f.order[g], most[g])
	}
	if m.Digest != nil && m.Digest.Groups > 1 && m.Alert.Severity == alert.Critical {
		f.wrong = append(f.wrong, "a critical alert is merged with other groups")
	}
	if lost {
		return channel.Receipt{}, outcome.Errorf(outcome.MaybeProcessed, "504")
	}
	return receipt, nil
}

func itemsOf(m channel.Message) []alert.Alert {
	if m.Digest == nil {
		return []alert.Alert{m.Alert}
	}
	return m.Digest.Items
}

// TestNoAlertOfADigestIsLost, and none is told before what came earlier in its group,
// whatever the channel answers and whenever an owner stops or dies.
func TestNoAlertOfADigestIsLost(t *testing.T) {
	for seed := range uint64(*schedules) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 7))
			f := &fate{rnd: rand.New(rand.NewPCG(seed, 8)), told: make(map[string]int)}
			change := func(c *Config) {
				chat(c)
				c.Concurrency = 1 // so that answers are drawn one after the other
				c.Digest.Own.MaxItems, c.Digest.Own.CollapseOver = 100, 3
			}
			const n = 90
			severities := []alert.Severity{alert.Info, alert.Warning, alert.Warning, alert.Warning, alert.Critical}
			var venues [n]string
			var severity [n]alert.Severity
			for i := range n {
				venues[i], severity[i] = fmt.Sprint("venue ", rnd.IntN(12)), severities[rnd.IntN(len(severities))]
			}
			record := func(i int) *kgo.Record { return reject(i, venues[i], severity[i]) }
			var last *consume.Committed
			dead, next := make(map[string]bool), 0
			for round := 0; ; round++ {
				f.mu.Lock()
				f.fail, f.order = round < 4, make(map[string]int)
				f.mu.Unlock()
				o := takeOverLog(t, next, record, last, f.answer, change)
				for next < n && (round >= 4 || rnd.IntN(40) > 0) {
					o.take(record(next))
					next++
					o.live(time.Duration(rnd.IntN(2000)) * time.Millisecond)
				}
				o.live(time.Duration(rnd.IntN(120)) * time.Second)
				if round >= 4 {
					o.live(30 * time.Minute)
					if o.left() != 0 || o.last.At.Offset != n {
						t.Errorf("seed %d: %d left, committed %d", seed, o.left(), o.last.At.Offset)
					}
				}
				if last = o.last; rnd.IntN(2) == 0 { // else it dies
					last = o.leave()
				}
				for _, id := range o.dead.ids() {
					dead[id] = true
				}
				o.close()
				if round >= 4 {
					break
				}
			}
			for i := range n {
				if id := fmt.Sprint("dl_", i); f.told[id] == 0 && !dead[id] {
					t.Errorf("seed %d: %s is lost", seed, id)
				}
			}
			for _, w := range f.wrong {
				t.Errorf("seed %d: %s", seed, w)
			}
		})
	}
}
