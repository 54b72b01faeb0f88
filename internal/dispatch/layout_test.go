package dispatch

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/offsets"
)

// worst returns what an alert is of a rule that raises s at worst.
func worst(s alert.Severity, age time.Duration) func(*alert.Alert) {
	return func(a *alert.Alert) {
		a.Severity, a.WorstSeverity, a.EventTime = s, s, time.Now().Add(-age)
		if s == "" {
			a.Severity = alert.Warning
		}
	}
}

func ruled(name string) func(*alert.Alert) { return func(a *alert.Alert) { a.Rule = name } }

// Alerts that were written before their outbox had a partition for their severity go
// before later ones of their key, and of no other.
func TestLaneFollowsItsKeyInLowerPartition(t *testing.T) {
	for _, class := range []alert.Severity{alert.Warning, ""} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, slow)
			defer b.close()
			warnings, infos := &source{input: offsets.Input{Partition: 1}}, &source{input: offsets.Input{Partition: 2}}
			b.join(warnings)
			b.join(infos)
			b.put("first", "0")
			b.put("former", "A", worst(class, 0), ruled("older"))
			b.put("proper", "B", worst(alert.Critical, 0), ruled("halted"))
			b.again("replay", "C", 1)
			for i, key := range []string{"A", "B", "C", ""} {
				b.add(warnings, b.delivery(fmt.Sprint("later ", key), key, worst(alert.Warning, time.Duration(i+1)*time.Hour)))
			}
			b.add(infos, b.delivery("info", "A", worst(alert.Info, 0)))
			pass(10 * time.Second)
			if got, want := b.ch.ids(), []string{"first", "proper", "later ", "later C", "later B", "former", "later A", "info", "replay"}; !slices.Equal(got, want) {
				t.Errorf("sent %q, want %q", got, want)
			}
		})
	}
}

func TestLoweredRuleKeepsOrderOfItsKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, slow)
		defer b.close()
		warnings := &source{input: offsets.Input{Partition: 1}}
		b.join(warnings)
		b.put("first", "0")
		b.put("other", "B", worst(alert.Critical, 0), ruled("halted"), severe(alert.Warning, 0))
		b.put("former", "A", worst(alert.Critical, 0), severe(alert.Warning, 0))
		for _, key := range []string{"A", "B"} {
			b.add(warnings, b.delivery("later "+key, key, worst(alert.Warning, time.Hour)))
		}
		pass(10 * time.Second)
		if got, want := b.ch.ids(), []string{"first", "later B", "other", "former", "later A"}; !slices.Equal(got, want) {
			t.Errorf("sent %q, want %q", got, want)
		}
	})
}

// A suspended rule's deliveries have stepped aside in the lower partition.
func TestSuspendedRuleFollowsItsKeyInLowerPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, slow)
		defer b.close()
		warnings := &source{input: offsets.Input{Partition: 1}}
		b.join(warnings)
		b.ch.set(func(channel.Message, int) (channel.Receipt, error) { return channel.Receipt{}, errRefused })
		for i := range defectAfter {
			b.put(fmt.Sprint("refused ", i), fmt.Sprint(i), worst(alert.Critical, 0))
		}
		pass(time.Minute)
		b.put("probe", "B", worst(alert.Critical, 0))
		b.put("former", "A", worst(alert.Warning, 0))
		b.ch.set(nil)
		for b.ch.times("probe") == 0 {
			pass(10 * time.Millisecond)
		}
		b.add(warnings, b.delivery("later", "A", worst(alert.Warning, time.Hour)))
		pass(time.Minute)
		if got := b.ch.ids(); !slices.Equal(got[len(got)-3:], []string{"probe", "former", "later"}) {
			t.Errorf("sent last are %q", got[len(got)-3:])
		}
	})
}

// TestSlowChannelLeavesFewInDoubt: a critical alert has overtaken thousands, and the
// process dies.
func TestSlowChannelLeavesFewInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 3000
		former := takeOver(t, 0, nil, nil, func(c *Config) { slow(c); c.Timeout = 2 * time.Hour })
		defer former.close()
		var records []*kgo.Record
		for i := range n {
			r := outboxRecord(fmt.Sprint("dl_", i), func(e *envelope.Envelope) {
				if i == n-1 {
					e.Alert.Severity = alert.Critical
				}
			})
			r.Key, r.Offset = fmt.Append(nil, i), int64(i)
			records = append(records, r)
		}
		former.a.Take(t.Context(), former.steps.Deliver(former.part, records))
		run := func() {
			for range 10 {
				former.commit(false)
				pass(time.Second)
			}
		}
		run()
		former.ch.set(forever)
		run()
		sent := former.ch.ids()
		if len(sent) < 8 || sent[0] != fmt.Sprint("dl_", n-1) {
			t.Fatalf("sent %q", sent)
		}
		o := takeOver(t, n, former.last, nil, func(c *Config) { c.Concurrency = 64 })
		defer o.close()
		for range n / 50 {
			o.commit(false)
		}
		if got := o.marked(); len(o.ch.ids()) != n-len(sent)+1 || len(got) > 2 || !slices.Contains(got, sent[len(sent)-1]) {
			t.Errorf("%d sent, marked are %q, in flight was %s", len(o.ch.ids()), got, sent[len(sent)-1])
		}
	})
}
