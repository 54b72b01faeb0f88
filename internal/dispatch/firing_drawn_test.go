package dispatch

import (
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
	"github.com/algotrade/notifier/internal/envelope"
)

// episodeRecord returns the outbox record of an alert of a key.
func episodeRecord(i, key int, state alert.State, severity alert.Severity) *kgo.Record {
	now := time.Now()
	r := outboxRecord(fmt.Sprint("dl_", i), func(e *envelope.Envelope) {
		e.Alert.ID, e.Alert.Key, e.Alert.Group, e.Alert.Severity = fmt.Sprint(i), []string{fmt.Sprint("account ", key)}, []string{fmt.Sprint("group ", key%2)}, severity
		e.Alert.EventTime, e.Alert.Clears, e.Alert.State = now, true, state
	})
	r.Key, r.Offset, r.Timestamp = fmt.Append(nil, key), int64(i), now
	return r
}

// TestDeliveredFiringIsResolvedOnce: whatever fires and clears, with outages of the channel
// and owners that die or leave, each firing that was told is followed by one resolved alert
// of its episode, and no other is told. A crash may repeat what it marks.
func TestDeliveredFiringIsResolvedOnce(t *testing.T) {
	for seed := range uint64(*schedules) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 21))
			change := func(c *Config) {
				c.Retry.Attempts = 1000 // none becomes a dead letter
				if seed%2 == 0 {
					chat(c)
					c.Digest.Own.MaxItems = 100
				}
			}
			var topic stateTopic
			var log []*kgo.Record
			var mu sync.Mutex // guards told and isDown
			var told []telling
			isDown := false
			answer := func(m channel.Message, _ int) (channel.Receipt, error) {
				time.Sleep(time.Duration(len(m.Delivery)%7) * 30 * time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				if isDown {
					return channel.Receipt{}, errDown
				}
				for _, a := range itemsOf(m) {
					told = append(told, telling{a.ID, m.Delivery, m.MayBeDuplicate})
				}
				return channel.Receipt{ID: m.Delivery}, nil
			}
			var o *owner
			own := func(last *consume.Committed) {
				o = takeOverState(t, &topic, len(log), func(i int) *kgo.Record { return log[i] }, last, answer, change)
			}
			own(nil)
			defer func() { o.close() }()
			for range 60 {
				state, severity := alert.Firing, alert.Warning
				switch rnd.IntN(5) {
				case 0, 1:
					state = alert.Resolved
				case 2:
					severity = alert.Critical
				}
				r := episodeRecord(len(log), rnd.IntN(4), state, severity)
				log = append(log, r)
				o.take(r)
				o.live(time.Duration(rnd.IntN(30)) * 200 * time.Millisecond)
				switch rnd.IntN(15) {
				case 0: // a crash: what was not committed is done again
					last := o.last
					_ = o.Close()
					own(last)
				case 1:
					last := o.leave()
					_ = o.Close()
					own(last)
				case 2, 3:
					mu.Lock()
					isDown = !isDown
					mu.Unlock()
				}
			}
			mu.Lock()
			isDown = false
			mu.Unlock()
			o.live(time.Hour)
			if o.left() != 0 {
				t.Errorf("seed %d: %d left", seed, o.left())
			}
			judgeEpisodes(t, seed, log, told)
		})
	}
}

// telling is an alert as a message told it.
type telling struct {
	id, message string
	marked      bool // as a possible duplicate
}

// takeOverState is takeOverLog with a state topic.
func takeOverState(t *testing.T, topic *stateTopic, n int, record func(int) *kgo.Record, last *consume.Committed, answer func(channel.Message, int) (channel.Receipt, error), change func(*Config)) *owner {
	t.Helper()
	b := newBench(t, change)
	r := &reader{stateTopic: topic, learn: b.Learn}
	b.p.State = r
	topic.mu.Lock()
	topic.readers = append(topic.readers, r)
	topic.mu.Unlock()
	b.leave(b.src) // the assignment is another
	return takeOverBench(b, n, record, last, answer)
}

// judgeEpisodes compares what was told of each key with its log.
func judgeEpisodes(t *testing.T, seed uint64, log []*kgo.Record, told []telling) {
	t.Helper()
	fail := func(format string, args ...any) {
		t.Errorf("seed %d: %s; told %v", seed, fmt.Sprintf(format, args...), told)
	}
	sent := make(map[string]int)  // by the id of the alert: how often it was told, its marked duplicates not counted
	last := make(map[string]int)  // by the id: which message told it last, duplicates counted
	in := make(map[string]string) // the message
	for i, one := range told {
		last[one.id] = i
		if one.marked && sent[one.id] > 0 {
			continue
		}
		sent[one.id]++
		in[one.id] = one.message
	}
	for key := range 4 {
		var fired []string                // of the episode, as they were told
		messages := make(map[string]bool) // of these
		open := false                     // one of the key was raised
		for i, r := range log {
			e, _, err := envelope.Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			a := e.Alert
			if a.Key[0] != fmt.Sprint("account ", key) {
				continue
			}
			id := fmt.Sprint(i)
			switch {
			case sent[id] > 1:
				fail("%s was told %d times", id, sent[id])
			case a.State == alert.Firing:
				open = true
				if sent[id] > 0 {
					fired, messages[in[id]] = append(fired, id), true
				}
			case !open && sent[id] > 0:
				fail("%s resolves nothing", id)
			case open && sent[id] == 0:
				fail("%s was not told, after %v", id, fired)
			case open:
				for _, f := range fired {
					if last[f] > last[id] && in[f] != in[id] {
						fail("%s was told after %s, which resolves it", f, id)
					}
				}
				open, fired, messages = false, nil, make(map[string]bool)
			}
			if len(messages) > 2 { // the first, and one that is critical
				fail("the alerts %v of one episode were told in %d messages", fired, len(messages))
			}
		}
		if open && len(fired) == 0 {
			fail("the last episode of key %d was not told", key)
		}
	}
}
