package dispatch

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/outcome"
)

func limiting(after time.Duration) func(channel.Message, int) (channel.Receipt, error) {
	return func(channel.Message, int) (channel.Receipt, error) {
		return channel.Receipt{}, &outcome.Error{Cause: outcome.RateLimited, Detail: "desk.example returned 429", RetryAfter: after}
	}
}

// logged makes the bench log into the result.
func (b *bench) logged() *record {
	said := &record{}
	log := slog.New(slog.NewTextHandler(said, nil))
	b.log, b.p.Conditions = log, health.New(log, prometheus.NewPedanticRegistry())
	return said
}

// record is a log. It is safe for concurrent use.
type record struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func TestWaitThatProviderAskedForIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		said := b.logged()
		b.ch.set(limiting(time.Hour))
		began := time.Now()
		b.put("a", "A")
		synctest.Wait()
		s := b.Status()
		if s.State != channel.Waiting || !s.Until.Equal(began.Add(time.Hour)) || !strings.Contains(s.Reason, "desk.example returned 429") || !strings.Contains(s.Reason, s.Until.UTC().Format("15:04:05 UTC")) {
			t.Errorf("status %+v", s)
		}
		if n := strings.Count(said.String(), `level=INFO msg="provider asked to wait`); n != 1 || strings.Contains(said.String(), "WARN") {
			t.Errorf("%d lines tell its begin:\n%s", n, said)
		}
		pass(longLimit)
		synctest.Wait()
		if text := b.p.Conditions.Text(health.Waiting); !strings.Contains(said.String(), "level=WARN") || !strings.Contains(text, "429") {
			t.Errorf("no warning after %s: %q\n%s", longLimit, text, said)
		}
		b.ch.set(nil)
		pass(time.Hour)
		synctest.Wait()
		if s := b.Status(); b.left() != 0 || s.State != channel.Healthy || s.Reason != "" || b.p.Conditions.Text(health.Waiting) != "" {
			t.Errorf("after the wait: %d left, %+v, %q", b.left(), s, b.p.Conditions.Text(health.Waiting))
		}
	})
}

// TestOwnBackoffHoldsBesidesRetryAfter: a provider that always says zero, or one second,
// is asked less and less often.
func TestOwnBackoffHoldsBesidesRetryAfter(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				defer b.close()
				b.ch.set(limiting(after))
				for i := range 20 {
					b.put(fmt.Sprint(i), fmt.Sprint(i))
				}
				synctest.Wait()
				if until := b.Status().Until; time.Until(until) != time.Second {
					t.Errorf("attempts in flight together make it wait for %s", time.Until(until))
				}
				pass(10 * time.Minute)
				if n := len(b.ch.ids()); n > 4*15 {
					t.Errorf("%d requests in ten minutes", n)
				}
				b.ch.set(nil)
				pass(time.Minute)
				if b.left() != 0 {
					t.Errorf("%d left a minute after the limit ended", b.left())
				}
			})
		})
	}
}

func TestLastingGreylistingBecomesACondition(t *testing.T) {
	grey := &outcome.Error{Cause: outcome.Greylisted, Detail: "450 4.7.1 try later", RetryAfter: 5 * time.Minute}
	for name, answer := range map[string]func(channel.Message, int) (channel.Receipt, error){
		"all recipients": func(channel.Message, int) (channel.Receipt, error) { return channel.Receipt{}, grey },
		"one of several": func(channel.Message, int) (channel.Receipt, error) {
			return channel.Receipt{Deferred: []channel.Refusal{{Recipient: "ops@desk.example", Err: grey}}}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				defer b.close()
				said := b.logged()
				states := prometheus.NewPedanticRegistry()
				NewMetrics(states).watch(b.Dispatcher)
				b.ch.set(answer)
				b.put("a", "A")
				began := time.Now()
				synctest.Wait()
				if s := b.Status(); s.State != channel.Waiting || !s.Until.Equal(began.Add(5*time.Minute)) || !strings.Contains(s.Reason, "450 4.7.1 try later; tried again at 00:05:00 UTC") {
					t.Errorf("at once: %+v", s)
				}
				if n := strings.Count(said.String(), `level=INFO msg="recipients deferred`); n != 1 {
					t.Errorf("%d lines tell its begin:\n%s", n, said)
				}
				pass(longDeferral - time.Second)
				if n := strings.Count(said.String(), `level=WARN msg="recipients still deferred"`); n != 1 || b.p.Conditions.Text(health.Waiting) != "" || waitsInMetrics(t, states) {
					t.Errorf("%d lines warn of it, %q:\n%s", n, b.p.Conditions.Text(health.Waiting), said)
				}
				pass(2 * time.Second)
				if !waitsInMetrics(t, states) {
					t.Error("the metric does not say so")
				}
				s, text := b.Status(), b.p.Conditions.Text(health.Waiting)
				if s.State != channel.Waiting || !s.Until.After(time.Now()) || !strings.Contains(s.Reason, "450 4.7.1 try later; tried again at "+s.Until.UTC().Format("15:04:05 UTC")) ||
					!strings.Contains(text, "450 4.7.1") || !strings.Contains(said.String(), "level=WARN") {
					t.Errorf("after %s: %+v, %q\n%s", longDeferral, s, text, said)
				}
				if name == "one of several" && !strings.Contains(text, "ops@desk.example") {
					t.Errorf("the recipient is not named: %q", text)
				}
				b.ch.set(nil)
				pass(6 * time.Minute)
				if s := b.Status(); b.left() != 0 || s.State != channel.Healthy || b.p.Conditions.Text(health.Waiting) != "" {
					t.Errorf("after it: %d left, %+v, %q", b.left(), s, b.p.Conditions.Text(health.Waiting))
				}
			})
		})
	}
}

// waitsInMetrics reports whether notifier_channel_state is waiting.
func waitsInMetrics(t *testing.T, from prometheus.Gatherer) bool {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "notifier_channel_state" && strings.Contains(m.String(), `"waiting"`) {
				return m.GetGauge().GetValue() == 1
			}
		}
	}
	t.Fatal("no such metric")
	return false
}

func TestStateNamesEachDeferredRecipientOnce(t *testing.T) {
	for want, addresses := range map[string][]string{
		"3 alerts wait for a@x since":                       {"a@x", "a@x", "a@x"},
		"3 alerts wait for a@x, b@x since":                  {"b@x", "a@x", "a@x"},
		"4 alerts wait for a@x, b@x, c@x since":             {"b@x", "a@x", "a@x", "c@x"},
		"5 alerts wait for a@x, b@x, c@x and 1 other since": {"e@x", "b@x", "a@x", "a@x", "c@x"},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, nil)
			defer b.close()
			b.ch.set(func(m channel.Message, _ int) (channel.Receipt, error) {
				return channel.Receipt{Deferred: []channel.Refusal{{Recipient: m.Alert.Key[0], Err: errGrey}}}, nil
			})
			for i, address := range addresses {
				b.put(fmt.Sprint(i), address)
			}
			synctest.Wait()
			if s := b.Status(); !strings.HasPrefix(s.Reason, want) {
				t.Errorf("%s, want %s", s.Reason, want)
			}
		})
	}
}
