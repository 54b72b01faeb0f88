package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/outcome"
)

// again puts a dead letter that is sent again for the n-th time.
func (b *bench) again(id, key string, n int, change ...func(*envelope.Replay)) {
	r := &envelope.Replay{Entry: id, Version: 7, Number: n, By: "ann@desk", FirstFailed: time.Now().Add(-time.Hour)}
	for _, f := range change {
		f(r)
	}
	a := &alert.Alert{Rule: "r", Severity: alert.Warning, EventTime: time.Now().Add(-time.Hour), Key: []string{key}, Throttle: time.Minute, Expire: time.Minute}
	e := &envelope.Envelope{Delivery: id, Alert: a, Channel: "desk", Replay: r, Source: envelope.Source{Topic: "trade-executions"}}
	d := &delivery{envelope: e, delivered: deliveredBefore(e)}
	if key != "" {
		d.laneKey = []byte(key)
	}
	b.add(b.src, d)
}

func TestDeliveredReplayIsSettledAfterItsTombstone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.dead.err = errors.New("wrap: no topic")
		b.again("a1", "A", 2)
		time.Sleep(10 * time.Second)
		if n := len(b.ch.ids()); n != 1 || b.left() != 1 {
			t.Fatalf("%d sends, %d left: it is sent once and waits for its tombstone", n, b.left())
		}
		b.dead.mu.Lock()
		b.dead.err = nil
		b.dead.mu.Unlock()
		time.Sleep(time.Minute)
		if n := len(b.ch.ids()); n != 1 || b.left() != 0 {
			t.Errorf("%d sends, %d left", n, b.left())
		}
		c := b.dead.closings()
		if len(c) != 1 || string(c[0].Key) != "a1" || c[0].Topic != "notification-service.dlq.trade-executions" || c[0].State != dlq.Resolved || c[0].By != "ann@desk" {
			t.Errorf("closed: %+v", c)
		}
		if m := b.ch.all()[0].m; m.Replay != 2 || m.ReplayLabel() != "replay 2" {
			t.Errorf("the message says %+v", m)
		}
	})
}

func TestReplaysPassByPolicyAndLeaveItAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		throttled := func(a *alert.Alert) { a.Throttle = time.Hour }
		b.put("live1", "A", throttled)
		synctest.Wait()
		b.again("old", "A", 1) // expired and throttled, were it alive
		b.put("live2", "A", throttled)
		synctest.Wait()
		b.put("live3", "B", throttled)
		b.again("other", "C", 1)
		synctest.Wait()
		b.put("live4", "C", throttled) // a replay opens no throttle
		synctest.Wait()
		if got, want := b.ch.ids(), []string{"live1", "old", "live3", "other", "live4"}; !slices.Equal(sorted(got), sorted(want)) {
			t.Errorf("sent %v, want %v", got, want)
		}
		for _, s := range b.ch.all() {
			if s.m.Replay > 0 && s.m.Suppressed > 0 {
				t.Errorf("%s speaks for what was throttled", s.id)
			}
		}
	})
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

func TestReplaysYieldToLiveAlerts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Pace = Pace{Rate: 1, Burst: 1}; c.Concurrency = 1 })
		defer b.close()
		b.put("first", "0")
		for _, id := range []string{"r1", "r2", "r3"} {
			b.again(id, id, 1)
		}
		b.put("live1", "X")
		b.put("live2", "r3") // its lane begins with a replay: order goes before rank
		time.Sleep(time.Minute)
		if got, want := b.ch.ids(), []string{"first", "live1", "r1", "r2", "r3", "live2"}; !slices.Equal(got, want) {
			t.Errorf("sent %v, want %v", got, want)
		}
	})
}

func TestFailedReplayIsTheNextVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.answer = func(channel.Message, int) (channel.Receipt, error) { return channel.Receipt{}, errRefused }
		b.again("a1", "A", 2, func(r *envelope.Replay) { r.Edited, r.EditedBy = []byte("{}"), "ann@desk" })
		b.again("a2", "B", 3)
		time.Sleep(time.Second)
		entries := b.dead.all()
		slices.SortFunc(entries, func(x, y *dlq.Entry) int { return x.Replays - y.Replays })
		if len(entries) != 2 || entries[0].Replays != 2 || entries[0].State != dlq.Open || entries[0].EditedBy != "ann@desk" ||
			entries[1].Replays != 3 || entries[1].State != dlq.Quarantined || entries[1].Reason != outcome.Refused {
			t.Fatalf("%+v", entries)
		}
		if d := time.Since(entries[0].FirstFailed); d < time.Hour {
			t.Errorf("it first failed %s ago: the first version's time is kept", d)
		}
	})
}

func TestReplayKeepsWhoHasTheMessage(t *testing.T) {
	refused := []channel.Refusal{{Recipient: "bob@example.com", Err: errRefused}}
	for name, tt := range map[string]struct {
		receipt   channel.Receipt
		err       error
		delivered []string
	}{
		"some accept": {channel.Receipt{Accepted: []string{"eve@example.com"}, Refused: refused}, nil, []string{"ann@example.com", "eve@example.com"}},
		"none accept": {channel.Receipt{Refused: refused}, errRefused, []string{"ann@example.com"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				defer b.close()
				b.ch.answer = func(channel.Message, int) (channel.Receipt, error) { return tt.receipt, tt.err }
				b.again("a", "a", 1, func(r *envelope.Replay) { r.Delivered = []string{"ann@example.com"} })
				time.Sleep(time.Second)
				if m := b.ch.all()[0].m; m.Recipients != nil || !slices.Equal(m.Delivered, []string{"ann@example.com"}) {
					t.Errorf("it goes to %v without %v", m.Recipients, m.Delivered)
				}
				e := b.dead.all()
				if len(e) != 1 || !slices.Equal(e[0].Recipients, []string{"bob@example.com"}) || !slices.Equal(e[0].Delivered, tt.delivered) || e[0].Replays != 1 {
					t.Errorf("the dead letters are %+v, want one delivered to %v", e, tt.delivered)
				}
			})
		})
	}
}

// TestFormerOwnersDeadLetterIsClosedOnDelivery: the dead letter
// was written, only the commit was lost.
func TestFormerOwnersDeadLetterIsClosedOnDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		a := &alert.Alert{Rule: "r", Severity: alert.Warning, EventTime: time.Now()}
		for id, inherited := range map[string]bool{"old": true, "new": false} {
			b.add(b.src, &delivery{envelope: &envelope.Envelope{Delivery: id, Alert: a, Source: envelope.Source{Topic: "trade-executions"}}, inherited: inherited})
		}
		time.Sleep(time.Second)
		if c := b.dead.closings(); len(c) != 1 || string(c[0].Key) != "old" || c[0].By != "" {
			t.Errorf("closed: %+v", c)
		}
		if b.left() != 0 {
			t.Errorf("%d are left", b.left())
		}
	})
}

// TestSupersededReplayIsNotSent: a delivery that a former
// owner had dead-lettered is tried again by us, for its commit was lost, and dead-lettered or
// delivered. What someone asked for in between is behind it.
func TestSupersededReplayIsNotSent(t *testing.T) {
	version := func(v int64) func(*envelope.Replay) { return func(r *envelope.Replay) { r.Version = v } }
	for name, c := range map[string]struct {
		answer func(m channel.Message, n int) (channel.Receipt, error)
		newest int64 // a version someone can ask for: where our record stands, or behind our tombstone
		want   []string
	}{
		"dead-lettered again": {func(m channel.Message, _ int) (channel.Receipt, error) {
			if m.Replay == 0 {
				return channel.Receipt{}, errRefused
			}
			return channel.Receipt{}, nil
		}, 8, []string{"live 0", "replay 2"}},
		"delivered after all": {func(channel.Message, int) (channel.Receipt, error) { return channel.Receipt{}, nil }, 9, []string{"live 0", "replay 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				defer b.close()
				b.dead.entries = make([]*dlq.Entry, 8) // so that the next is version 8
				b.ch.answer = c.answer
				a := &alert.Alert{Rule: "r", Severity: alert.Warning, EventTime: time.Now()}
				b.add(b.src, &delivery{
					envelope:  &envelope.Envelope{Delivery: "a", Alert: a, Source: envelope.Source{Topic: "trade-executions"}},
					laneKey:   []byte("A"),
					inherited: true,
				})
				b.again("a", "A", 1, version(7))
				b.again("a", "A", 2, version(c.newest))
				time.Sleep(time.Minute)
				var got []string
				for _, s := range b.ch.all() {
					if s.m.Replay == 0 {
						got = append(got, "live 0")
					} else {
						got = append(got, fmt.Sprint("replay ", s.m.Replay))
					}
				}
				if !slices.Equal(got, c.want) || b.left() != 0 {
					t.Errorf("sent %v, %d are left; want %v", got, b.left(), c.want)
				}
			})
		})
	}
}

// ended are entries, by where their last record stands.
type ended map[string]int64

func (e ended) LastOffsets(context.Context, string, int64, []string) (map[string]int64, error) {
	return e, nil
}

// TestReplayPresentAtAssignmentIsLookedUp: what makes it
// superseded is the end of another record, which a former owner came to.
func TestReplayPresentAtAssignmentIsLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		steps := consume.NewSteps(consume.Params{
			Name: "dispatch", OwnTopics: true, Topics: []string{"outbox"}, Window: consume.Window{Records: 2, Bytes: 64 << 20}, Logger: slog.New(slog.DiscardHandler),
		})
		const end = 5
		p, _ := steps.Assign("outbox", 0, "id", end, nil)
		a := NewHandler(HandlerParams{Outboxes: map[string]*Dispatcher{"outbox": b.Dispatcher}, Dead: ended{"dl_3": 8, "dl_4": 7, "dl_5": 8}, Logger: slog.New(slog.DiscardHandler)}).Assign(p)
		var records []*kgo.Record
		for i := range end + 1 {
			e := &envelope.Envelope{
				Source: envelope.Source{Topic: "trade-executions", Offset: int64(i)}, Delivery: fmt.Sprint("dl_", i), Channel: "desk",
				Alert: &alert.Alert{Rule: "r", Severity: alert.Warning, EventTime: time.Now()},
			}
			if i >= 3 {
				e.Replay = &envelope.Replay{Entry: e.Delivery, Version: 7, Number: 1, By: "ann@desk"}
			}
			r := outbox.Record(e, "outbox", 1)
			r.Offset = int64(i)
			records = append(records, r)
		}
		steps.Commit(p)
		a.Take(t.Context(), steps.Deliver(p, records))
		time.Sleep(time.Minute)
		// dl_5 came after the assignment: its forwarder knew that it was the
		// last.
		if got, want := sorted(b.ch.ids()), []string{"dl_0", "dl_1", "dl_2", "dl_4", "dl_5"}; !slices.Equal(got, want) {
			t.Errorf("sent %v, want %v", got, want)
		}
	})
}

// TestReplayEndsDuringRevoke is closed within the wait for
// what is in flight, and not sent again by the next owner.
func TestReplayEndsDuringRevoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.answer = func(channel.Message, int) (channel.Receipt, error) {
			time.Sleep(500 * time.Millisecond)
			return channel.Receipt{}, nil
		}
		b.again("a1", "A", 1)
		synctest.Wait()
		<-b.leave(b.src)
		if c := b.dead.closings(); len(c) != 1 || string(c[0].Key) != "a1" {
			t.Errorf("closed: %+v", c)
		}
	})
}

// TestReplaysWaitForAChannelThatIsDown: an open breaker burns none of their
// attempts, and no replay fails for an outage.
func TestReplaysWaitForAChannelThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.set(down)
		for _, id := range []string{"a", "b", "c"} {
			b.again(id, id, 1)
		}
		time.Sleep(5 * time.Hour)
		if n := len(b.dead.all()); n != 0 || b.left() != 3 {
			t.Fatalf("%d failed again, %d wait", n, b.left())
		}
		b.ch.set(nil)
		time.Sleep(time.Minute)
		if n := len(b.dead.closings()); n != 3 || b.left() != 0 {
			t.Errorf("%d are resolved, %d wait", n, b.left())
		}
	})
}

// TestDeliveryWithoutWritableOutcomeIsSentOnce: while tombstones cannot be
// written, a crash would send again all that was delivered without one.
func TestDeliveryWithoutWritableOutcomeIsSentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.dead.err = errors.New("wrap: no topic")
		for i := range 200 {
			b.again(fmt.Sprint(i), fmt.Sprint("k", i), 1)
		}
		time.Sleep(10 * time.Minute)
		if n := len(b.ch.ids()); n < 64 || n > 65+testConfig().Concurrency {
			t.Errorf("%d were sent without a tombstone", n)
		}
		b.dead.mu.Lock()
		b.dead.err = nil
		b.dead.mu.Unlock()
		time.Sleep(10 * time.Minute)
		if n := len(b.ch.ids()); n != 200 || b.left() != 0 {
			t.Errorf("%d were sent in all, %d are left", n, b.left())
		}
	})
}
