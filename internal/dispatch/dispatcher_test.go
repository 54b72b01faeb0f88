package dispatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/outcome"
)

// scripted is a channel whose answers a test decides; it records every send.
type scripted struct {
	mu     sync.Mutex
	answer func(m channel.Message, n int) (channel.Receipt, error) // n: attempts of this delivery, from 1
	sends  []sent
	count  map[string]int
}

type sent struct {
	id string
	at time.Time
	m  channel.Message
}

func (c *scripted) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	c.mu.Lock()
	if c.count == nil {
		c.count = make(map[string]int)
	}
	c.count[m.Delivery]++
	n := c.count[m.Delivery]
	c.sends = append(c.sends, sent{m.Delivery, time.Now(), m})
	answer := c.answer
	c.mu.Unlock()
	if answer == nil {
		return channel.Receipt{}, nil
	}
	return answer(m, n)
}

// times returns how often a delivery was sent.
func (c *scripted) times(id string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count[id]
}

func (c *scripted) ids() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := make([]string, len(c.sends))
	for i, s := range c.sends {
		ids[i] = s.id
	}
	return ids
}

func (c *scripted) all() []sent {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.sends)
}

func (c *scripted) set(answer func(m channel.Message, n int) (channel.Receipt, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

// dead-letter topic collects dead letters.
type deadLetters struct {
	mu      sync.Mutex
	entries []*dlq.Entry
	closed  []dlq.Closure
	err     error
}

func (g *deadLetters) CloseEntries(_ context.Context, closures ...*dlq.Closure) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return g.err
	}
	for _, c := range closures {
		c.Offset = int64(len(g.entries) + len(g.closed))
		g.closed = append(g.closed, *c)
	}
	return nil
}

func (g *deadLetters) Write(_ context.Context, entries ...*dlq.Entry) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return g.err
	}
	for _, e := range entries {
		e.Offset = int64(len(g.entries) + len(g.closed))
		g.entries = append(g.entries, e)
	}
	return nil
}

// fail has every write fail; nil: none does.
func (g *deadLetters) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err = err
}

func (g *deadLetters) all() []*dlq.Entry {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.entries)
}

func (g *deadLetters) closings() []dlq.Closure {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.closed)
}

func (g *deadLetters) ids() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	ids := []string{}
	for _, e := range g.entries {
		ids = append(ids, e.ID)
	}
	return ids
}

func testConfig() Config {
	return Config{
		Concurrency: 4,
		Retry:       Retry{Initial: 500 * time.Millisecond, Factor: 2, Max: 30 * time.Second, Attempts: 6},
		Breaker:     Breaker{Failures: 5, Open: time.Second},
		Timeout:     15 * time.Second,
		Ambiguous:   "resend",
	}
}

// bench is an outbox with one assigned partition.
type bench struct {
	*Dispatcher
	ch   *scripted
	dead *deadLetters
	src  *source
	end  int64 // of the outbox
	t    *testing.T
}

func newBench(t *testing.T, change func(*Config)) *bench {
	t.Helper()
	cfg := testConfig()
	if change != nil {
		change(&cfg)
	}
	b := &bench{ch: &scripted{}, dead: &deadLetters{}, src: &source{}, t: t}
	b.Dispatcher = New(Params{
		Name: "desk", Channel: b.ch, Config: cfg, Uncommitted: 64, Dead: b.dead, Group: "notification-service", MaxReplays: 3,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	b.join(b.src)
	return b
}

func (b *bench) put(id, key string, change ...func(*alert.Alert)) {
	b.add(b.src, b.delivery(id, key, change...))
}

func (b *bench) delivery(id, key string, change ...func(*alert.Alert)) *delivery {
	a := &alert.Alert{Rule: "r", Severity: alert.Warning, EventTime: time.Now(), Key: []string{key}}
	for _, f := range change {
		f(a)
	}
	b.mu.Lock()
	b.end++
	d := &delivery{envelope: &envelope.Envelope{Delivery: id, Alert: a, Channel: "desk"}, at: offsets.Position{Offset: b.end}}
	b.mu.Unlock()
	if key != "" {
		d.laneKey = []byte(key)
	}
	return d
}

// pass lets time pass, and what it leads to be done.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (b *bench) close() {
	_ = b.Close()
	waiting := 0
	for _, l := range b.lanes.byKey {
		if l.source == b.src && l.state == aside {
			waiting += len(l.queue)
		}
	}
	if b.src.asideRecords != waiting {
		b.t.Errorf("%d deliveries wait for a probe of their rule, %d are counted", waiting, b.src.asideRecords)
	}
}

func (b *bench) left() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lanes.pending
}

var (
	errDown    = outcome.Errorf(outcome.Unavailable, "503")
	errRefused = &outcome.Error{Cause: outcome.PayloadRefused, Detail: "422", Answered: true}
)

func down(channel.Message, int) (channel.Receipt, error) { return channel.Receipt{}, errDown }

func TestLaneWaitsForItsFirstWhileOthersFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.answer = func(m channel.Message, n int) (channel.Receipt, error) {
			if m.Delivery == "a1" && n < 3 {
				return channel.Receipt{}, errDown
			}
			return channel.Receipt{}, nil
		}
		b.put("a1", "A")
		b.put("a2", "A")
		b.put("b1", "B")
		synctest.Wait()
		if got := slices.Sorted(slices.Values(b.ch.ids())); !slices.Equal(got, []string{"a1", "b1"}) {
			t.Fatalf("before the retry: sent %v", got)
		}
		time.Sleep(time.Minute)
		if got := b.ch.ids()[2:]; !slices.Equal(got, []string{"a1", "a1", "a2"}) {
			t.Fatalf("in the end: sent %v", got)
		}
	})
}

func TestLaneContinuesAfterADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.answer = func(m channel.Message, n int) (channel.Receipt, error) {
			if m.Delivery == "a1" {
				return channel.Receipt{}, errRefused
			}
			return channel.Receipt{}, nil
		}
		b.dead.err = errors.New("wrap: no topic")
		b.put("a1", "A")
		b.put("a2", "A")
		time.Sleep(10 * time.Second)
		if got := b.ch.ids(); !slices.Equal(got, []string{"a1"}) {
			t.Fatalf("a2 was sent before a1's dead letter was written: %v", got)
		}
		b.dead.mu.Lock()
		b.dead.err = nil
		b.dead.mu.Unlock()
		time.Sleep(time.Minute)
		if got := b.ch.ids(); !slices.Equal(got, []string{"a1", "a2"}) || !slices.Equal(b.dead.ids(), []string{"a1"}) {
			t.Fatalf("sent %v, dead %v", got, b.dead.ids())
		}
	})
}

func TestNullKeysShareNoLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Concurrency = 10 })
		defer b.close()
		block := make(chan struct{})
		b.ch.answer = func(channel.Message, int) (channel.Receipt, error) { <-block; return channel.Receipt{}, nil }
		for i := range 2 {
			b.put(fmt.Sprint("null", i), "")
			d := &delivery{envelope: &envelope.Envelope{Delivery: fmt.Sprint("empty", i), Alert: &alert.Alert{EventTime: time.Now()}}, laneKey: []byte{}}
			b.add(b.src, d)
		}
		synctest.Wait()
		if got := b.ch.ids(); len(got) != 3 || slices.Contains(got, "empty1") {
			t.Fatalf("in flight: %v", got)
		}
		close(block)
		synctest.Wait()
		if b.left() != 0 {
			t.Fatalf("%d left", b.left())
		}
	})
}

func TestLongOutageKeepsOrderWithoutDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.answer = down
		for i := range 40 {
			b.put(fmt.Sprintf("%d-%02d", i%4, i/4), fmt.Sprint("lane", i%4))
		}
		time.Sleep(5 * time.Hour)
		if len(b.dead.ids()) != 0 || b.left() != 40 {
			t.Fatalf("after the outage: %d dead, %d left", len(b.dead.ids()), b.left())
		}
		if s := b.Status(); s.State == "healthy" {
			t.Fatalf("state %s while down", s.State)
		}
		b.ch.mu.Lock()
		b.ch.sends = nil
		b.ch.mu.Unlock()
		b.ch.set(nil)
		time.Sleep(5 * time.Second)
		if b.left() != 0 {
			t.Fatalf("%d left after recovery", b.left())
		}
		last := map[byte]string{}
		for _, id := range b.ch.ids() {
			if id <= last[id[0]] {
				t.Fatalf("order broken at %s after %s", id, last[id[0]])
			}
			last[id[0]] = id
		}
	})
}

func TestLoneAlertSurvivesAnHourOfOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.answer = down
		b.put("a", "A")
		time.Sleep(time.Hour)
		b.ch.set(nil)
		time.Sleep(2 * time.Second)
		if b.left() != 0 || len(b.dead.ids()) != 0 {
			t.Fatalf("left %d, dead %v", b.left(), b.dead.ids())
		}
	})
}

func TestOneBadDeliveryIsExhaustedWithClosedCircuit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		kinds := []error{errDown, outcome.Errorf(outcome.Unreachable, "refused"), outcome.Errorf(outcome.Timeout, "silent")}
		b.ch.answer = func(m channel.Message, n int) (channel.Receipt, error) {
			if m.Delivery == "bad" {
				return channel.Receipt{}, kinds[n%3] // alternating kinds exhaust all the same
			}
			return channel.Receipt{}, nil
		}
		b.put("bad", "X")
		for i := range 200 {
			b.put(fmt.Sprint("good", i), fmt.Sprint("g", i))
			time.Sleep(500 * time.Millisecond)
			if s := b.Status(); s.State != "healthy" {
				t.Fatalf("breaker %s", s.State)
			}
		}
		if got := b.dead.all(); len(got) != 1 || got[0].ID != "bad" || got[0].Reason != outcome.Exhausted || got[0].Attempts != 6 {
			t.Fatalf("dead letters %v", b.dead.ids())
		}
		if b.ch.times("bad") != 6 {
			t.Fatalf("bad was tried %d times, want 6", b.ch.times("bad"))
		}
	})
}

// An open breaker is waiting, not failing. Were the breaker around the retry,
// or its refusals taken for attempts, the deliveries that wait would be used up
// and the first witness would make dead letters of them.
func TestOpenBreakerBurnsNoAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.answer = down
		for i := range 10 {
			b.put(fmt.Sprint("d", i), fmt.Sprint("k", i))
		}
		time.Sleep(20 * time.Second)
		b.mu.Lock()
		total := 0
		for _, l := range b.lanes.byKey {
			total += l.queue[0].attempts
		}
		b.mu.Unlock()
		if sends := len(b.ch.ids()); total != sends {
			t.Fatalf("%d attempts counted, %d made", total, sends)
		}
		if sends := len(b.ch.ids()); sends > 5+20+4 {
			t.Fatalf("%d sends in 20 s through an open breaker", sends)
		}
		b.ch.set(nil)
		time.Sleep(3 * time.Second)
		if b.left() != 0 || len(b.dead.ids()) != 0 {
			t.Fatalf("left %d, dead %v", b.left(), b.dead.ids())
		}
	})
}

func TestHalfOpenCircuitProbesOneLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Concurrency = 1; c.Breaker.Failures = 3; c.Retry.Attempts = 6 })
		defer b.close()
		b.ch.answer = down
		for i := range 5 {
			b.put(fmt.Sprint("d", i), fmt.Sprint("k", i))
		}
		synctest.Wait()
		opened := len(b.ch.ids())
		time.Sleep(10*time.Second + 500*time.Millisecond)
		probes := b.ch.ids()[opened:]
		if len(probes) < 8 || len(probes) > 11 {
			t.Fatalf("%d probes in 10 s", len(probes))
		}
		for i := 1; i < len(probes); i++ {
			if probes[i] == probes[i-1] {
				t.Fatalf("the lane that had just failed was probed again: %v", probes)
			}
		}
		seen := map[string]bool{}
		for _, id := range probes[:5] {
			seen[id] = true
		}
		if len(seen) != 5 {
			t.Fatalf("the first five probes were not five lanes: %v", probes)
		}
	})
}

func TestOnlyChannelFailuresOpenTheCircuit(t *testing.T) {
	for name, err := range map[string]error{
		"429":       &outcome.Error{Cause: outcome.RateLimited, RetryAfter: time.Second},
		"greylist":  &outcome.Error{Cause: outcome.Greylisted, RetryAfter: 5 * time.Minute},
		"mailbox":   outcome.Errorf(outcome.MailboxFull, "452"),
		"refusal":   errRefused,
		"cancelled": context.Canceled,
	} {
		if countsAgainst(err) {
			t.Errorf("%s counts against the provider", name)
		}
	}
	for _, err := range []error{errDown, outcome.Errorf(outcome.Timeout, ""), errors.New("never seen")} {
		if !countsAgainst(err) {
			t.Errorf("%v does not count against the provider", err)
		}
	}
	if !provesHealth(errRefused) || provesHealth(outcome.Errorf(outcome.PayloadRefused, "from a proxy")) {
		t.Error("health is proven by a refusal in the provider's own shape, and by nothing else")
	}
}

func TestRetryAfterStopsTheChannelWithoutAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		start := time.Now()
		b.ch.answer = func(m channel.Message, n int) (channel.Receipt, error) {
			if time.Since(start) < 30*time.Second {
				return channel.Receipt{}, &outcome.Error{Cause: outcome.RateLimited, RetryAfter: 30 * time.Second}
			}
			return channel.Receipt{}, nil
		}
		b.put("a", "A")
		synctest.Wait()
		b.put("b", "B")
		time.Sleep(29 * time.Second)
		if got := b.ch.ids(); len(got) != 1 {
			t.Fatalf("sent during Retry-After: %v", got)
		}
		time.Sleep(2 * time.Second)
		if b.left() != 0 {
			t.Fatalf("%d left", b.left())
		}
	})
}

// TestRateLimitUsesNoAttempt: ten rate limits, one failure and a witness are no
// dead letter where six attempts are.
func TestRateLimitUsesNoAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.answer = func(m channel.Message, n int) (channel.Receipt, error) {
			switch {
			case m.Delivery == "witness" || n > 11:
				return channel.Receipt{}, nil
			case n == 11:
				return channel.Receipt{}, errDown
			}
			return channel.Receipt{}, &outcome.Error{Cause: outcome.RateLimited, RetryAfter: time.Second}
		}
		b.put("a", "A")
		synctest.Wait()
		b.put("witness", "B")
		time.Sleep(15 * time.Minute)
		if dead := b.dead.ids(); b.left() != 0 || len(dead) != 0 {
			t.Errorf("%d left, dead letters %v, sent %v", b.left(), dead, b.ch.ids())
		}
	})
}

func TestLatchHoldsProbesSlowlyAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.answer = func(channel.Message, int) (channel.Receipt, error) {
			return channel.Receipt{}, outcome.Errorf(outcome.Credentials, "token_revoked")
		}
		for i := range 8 {
			b.put(fmt.Sprint("d", i), fmt.Sprint("k", i))
		}
		time.Sleep(10*time.Minute + time.Second)
		if n := len(b.ch.ids()); n < 12 || n > 4+12 {
			t.Fatalf("%d sends in 10 minutes of a suspended channel", n)
		}
		if s := b.Status(); s.State != "suspended" || s.Reason == "" || len(b.dead.ids()) != 0 {
			t.Fatalf("status %+v, dead %v", s, b.dead.ids())
		}
		b.ch.set(nil)
		time.Sleep(lastProbe + time.Second)
		if s := b.Status(); b.left() != 0 || s.State != "healthy" {
			t.Fatalf("left %d, status %+v", b.left(), s)
		}
	})
}

func TestPanicInAChannelTouchesOneDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.answer = func(m channel.Message, n int) (channel.Receipt, error) {
			if m.Delivery == "bad" {
				panic("index out of range")
			}
			return channel.Receipt{}, nil
		}
		b.put("bad", "A")
		b.put("good", "A")
		synctest.Wait()
		if !slices.Equal(b.dead.ids(), []string{"bad"}) || b.left() != 0 {
			t.Fatalf("dead %v, left %d", b.dead.ids(), b.left())
		}
	})
}

func TestAmbiguousAttemptIsHandledAsConfigured(t *testing.T) {
	for _, policy := range []string{"resend", "dead-letter"} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.Ambiguous = policy })
			defer b.close()
			b.ch.answer = func(m channel.Message, n int) (channel.Receipt, error) {
				if n == 1 {
					return channel.Receipt{}, outcome.Errorf(outcome.Reset, "after the body")
				}
				return channel.Receipt{}, nil
			}
			b.put("a", "A")
			time.Sleep(5 * time.Second)
			if policy == "resend" {
				if n := len(b.ch.all()); n != 2 || !b.ch.all()[1].m.MayBeDuplicate {
					t.Fatalf("%d sends", n)
				}
				return
			}
			if len(b.ch.all()) != 1 || b.dead.all()[0].Reason != outcome.Unconfirmed {
				t.Fatalf("%d sends, dead %v", len(b.ch.all()), b.dead.ids())
			}
		})
	}
}

func TestHangingAttemptIsAmbiguous(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		hang := hanging{}
		b.p.Channel = hang
		b.put("a", "A")
		time.Sleep(16 * time.Second)
		b.mu.Lock()
		l := b.lanes.byKey[laneKey{source: b.src, key: "A"}]
		attempts, repeat := l.queue[0].attempts, l.queue[0].mayBeDuplicate
		b.mu.Unlock()
		if attempts != 1 || !repeat {
			t.Fatalf("attempts %d, may be repeat %v", attempts, repeat)
		}
		time.Sleep(3 * time.Hour)
		if len(b.dead.ids()) != 0 {
			t.Fatal("a provider that never answers made a dead letter")
		}
	})
}

type hanging struct{}

func (hanging) Send(ctx context.Context, _ channel.Message) (channel.Receipt, error) {
	<-ctx.Done()
	return channel.Receipt{}, ctx.Err()
}

func TestRefusedAndDeferredRecipients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.answer = func(m channel.Message, n int) (channel.Receipt, error) {
			if n == 1 {
				return channel.Receipt{
					Refused:  []channel.Refusal{{Recipient: "gone@x", Err: outcome.Errorf(outcome.RecipientRefused, "550")}},
					Deferred: []channel.Refusal{{Recipient: "grey@x", Err: &outcome.Error{Cause: outcome.Greylisted, RetryAfter: 5 * time.Minute}}},
				}, nil
			}
			return channel.Receipt{}, nil
		}
		b.put("a", "A")
		time.Sleep(4 * time.Minute)
		if len(b.ch.all()) != 1 {
			t.Fatalf("%d sends before the greylisting was over", len(b.ch.all()))
		}
		time.Sleep(2 * time.Minute)
		if got := b.ch.all()[1].m.Recipients; !slices.Equal(got, []string{"grey@x"}) {
			t.Fatalf("the second attempt went to %v", got)
		}
		if e := b.dead.all(); len(e) != 1 || e[0].Reason != outcome.BadRecipient || !slices.Equal(e[0].Recipients, []string{"gone@x"}) {
			t.Fatalf("dead letters %+v", e)
		}
	})
}

func TestGreylistingIsExhaustedOnlyWithAWitness(t *testing.T) {
	for _, witness := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, nil)
			defer b.close()
			b.ch.answer = func(m channel.Message, n int) (channel.Receipt, error) {
				if m.Delivery == "grey" {
					return channel.Receipt{}, &outcome.Error{Cause: outcome.Greylisted, RetryAfter: 5 * time.Minute}
				}
				return channel.Receipt{}, nil
			}
			b.put("grey", "A")
			time.Sleep(30 * time.Minute)
			if witness {
				b.put("other", "B")
			}
			time.Sleep(2 * time.Hour)
			if got := len(b.dead.ids()) == 1; got != witness {
				t.Fatalf("witness %v: dead letters %v", witness, b.dead.ids())
			}
		})
	}
}

func TestThrottleCountsAndPassesHigherSeverity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		throttle := func(s alert.Severity) func(*alert.Alert) {
			return func(a *alert.Alert) { a.Throttle, a.Severity = time.Hour, s }
		}
		b.put("1", "A", throttle(alert.Warning))
		synctest.Wait()
		time.Sleep(time.Minute)
		b.put("2", "A", throttle(alert.Warning))
		b.put("3", "A", throttle(alert.Info))
		b.put("other", "B", throttle(alert.Warning))
		synctest.Wait()
		b.put("4", "A", throttle(alert.Critical))
		synctest.Wait()
		if got := b.ch.ids(); !slices.Equal(got, []string{"1", "other", "4"}) {
			t.Fatalf("sent %v", got)
		}
		if m := b.ch.all()[2].m; m.Suppressed != 2 || time.Since(m.SuppressedSince) > time.Second {
			t.Fatalf("the next message tells %d since %v", m.Suppressed, m.SuppressedSince)
		}
		time.Sleep(time.Hour + time.Second)
		b.put("5", "A", throttle(alert.Warning))
		synctest.Wait()
		if got := b.ch.ids(); got[len(got)-1] != "5" || b.left() != 0 {
			t.Fatalf("sent %v", got)
		}
	})
}

func TestFailedDeliveryOpensNoThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.answer = func(m channel.Message, n int) (channel.Receipt, error) {
			if m.Delivery == "1" {
				return channel.Receipt{}, errRefused
			}
			return channel.Receipt{}, nil
		}
		hour := func(a *alert.Alert) { a.Throttle = time.Hour }
		b.put("1", "A", hour)
		b.put("2", "A", hour)
		synctest.Wait()
		if got := b.ch.ids(); !slices.Equal(got, []string{"1", "2"}) {
			t.Fatalf("sent %v: the dead letter throttled the next alert", got)
		}
	})
}

// TestAlertExpiredDuringSuspensionIsNotSent: a probe is no reason to
// send it days later.
func TestAlertExpiredDuringSuspensionIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.answer = func(channel.Message, int) (channel.Receipt, error) {
			return channel.Receipt{}, outcome.Errorf(outcome.Credentials, "401")
		}
		b.put("short", "A", func(a *alert.Alert) { a.Expire, a.Throttle = time.Hour, time.Hour })
		b.put("long", "A", func(a *alert.Alert) { a.Expire = 96 * time.Hour })
		time.Sleep(48*time.Hour + lastProbe/2) // between two probes
		if ids := b.ch.ids(); ids[0] != "short" || ids[len(ids)-1] != "long" {
			t.Errorf("it tried %s first and %s last", ids[0], ids[len(ids)-1])
		}
		tries := len(b.ch.ids())
		b.ch.set(nil)
		time.Sleep(2 * lastProbe)
		if sent := b.ch.ids()[tries:]; !slices.Equal(sent, []string{"long"}) || b.left() != 0 {
			t.Errorf("sent %v, %d left", sent, b.left())
		}
	})
}

func TestExpiredAlertIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.put("old", "A", func(a *alert.Alert) { a.Expire, a.EventTime = 15*time.Minute, time.Now().Add(-16*time.Minute) })
		b.put("new", "A", func(a *alert.Alert) { a.Expire, a.EventTime = 15*time.Minute, time.Now().Add(-14*time.Minute) })
		synctest.Wait()
		if got := b.ch.ids(); !slices.Equal(got, []string{"new"}) || b.left() != 0 {
			t.Fatalf("sent %v, left %d", got, b.left())
		}
	})
}

func TestPaceHoldsAndBurstPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Pace = Pace{Rate: 1, Burst: 3} })
		defer b.close()
		for i := range 10 {
			b.put(fmt.Sprint(i), fmt.Sprint("k", i))
		}
		synctest.Wait()
		if n := len(b.ch.ids()); n != 2 { // the last token is kept
			t.Fatalf("%d sent at once", n)
		}
		b.put("critical", "c", func(a *alert.Alert) { a.Severity = alert.Critical })
		synctest.Wait()
		if got := b.ch.ids(); len(got) != 3 || got[2] != "critical" {
			t.Fatalf("sent %v", got)
		}
		time.Sleep(5*time.Second + 100*time.Millisecond)
		if n := len(b.ch.ids()); n != 7 {
			t.Fatalf("%d sent after 4 s", n)
		}
	})
}

func TestTimerThatFiresAfterARevokeSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.answer = down
		b.put("a", "A")
		b.put("b", "A")
		synctest.Wait()
		<-b.leave(b.src)
		b.ch.set(nil)
		time.Sleep(time.Hour)
		if got := b.ch.ids(); len(got) != 1 || b.left() != 0 {
			t.Fatalf("sent %v after the revoke", got)
		}
	})
}

func TestRevokeDiscardsLateCompletions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		release := make(chan struct{})
		b.ch.answer = func(channel.Message, int) (channel.Receipt, error) { <-release; return channel.Receipt{}, errRefused }
		b.put("a", "A")
		synctest.Wait()
		drained := b.leave(b.src)
		select {
		case <-drained:
			t.Fatal("drained while an attempt is in flight")
		default:
		}
		close(release)
		<-drained
		synctest.Wait()
		if len(b.dead.ids()) != 0 {
			t.Fatal("a completion after the revoke made a dead letter")
		}
	})
}

func TestBackoffIsBoundedAtAnyAttempt(t *testing.T) {
	r := testConfig().Retry
	b := newBackoff(r)
	for n := range 1_000_000 {
		d := jitter(b.NextBackOff(), rand.N)
		if d < minBackoff && n > 0 || d <= 0 || d > r.Max {
			t.Fatalf("backoff %d is %s", n, d)
		}
	}
}

func TestCloseDuringBackoffReturnsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.ch.answer = down
		b.put("a", "A")
		synctest.Wait()
		start := time.Now()
		<-b.leave(b.src)
		b.close()
		if d := time.Since(start); d > time.Second {
			t.Fatalf("closing took %s", d)
		}
	})
}
