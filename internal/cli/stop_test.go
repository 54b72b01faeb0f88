package cli

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// TestStopOrderIsIngestToDispatch: nobody asks about a daemon that is going,
// matching ends before delivering, and delivering ends before the producers,
// which write what it leaves behind.
func TestStopOrderIsIngestToDispatch(t *testing.T) {
	if testkafka.Bare(t).Real() {
		t.Log("a real broker does not say who leaves")
		return
	}
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", func(int, webhooktest.Request) webhooktest.Answer {
		return webhooktest.Answer{Status: 400} // a dead letter, written while it drains
	})
	d := start(t, files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")))
	var mu sync.Mutex
	var order []string
	said := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, what)
	}
	c.Fake().ControlKey(kmsg.LeaveGroup.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.Fake().KeepControl()
		if status, _ := d.get("/livez"); status == 0 {
			said("no web")
		}
		said(r.(*kmsg.LeaveGroupRequest).Group)
		return nil, nil, false
	})
	c.Produce(alerting(topics.TradeExecutions, "", 0, 5)...)
	hook.Wait(20*time.Second, func(r []webhooktest.Request) bool { return len(r) == 5 })
	if code := d.stop(); code != base.ExitDone {
		t.Fatalf("stopped with %d", code)
	}
	want := []string{"no web", c.Group, "no web", topics.OutboxGroup(c.Group)}
	if !slices.Equal(order, want) {
		t.Errorf("the order is %v, want %v", order, want)
	}
	if n := len(clitest.DeadLetters(t, c)); n != 5 {
		t.Errorf("%d dead letters of 5 refusals", n)
	}
}

// TestPoisonOnlyBecomesDeadLetter: as the first record, as the last,
// as the only one, side by side, and as all there is.
func TestPoisonOnlyBecomesDeadLetter(t *testing.T) {
	for name, order := range map[string]string{"first": "xgg", "last": "ggx", "only one": "x", "adjacent": "gxxg", "nothing but": "xxxxx"} {
		t.Run(name, func(t *testing.T) {
			c := testkafka.Start(t, one("hook", 2))
			hook := webhooktest.Start(t, "", nil)
			start(t, files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")))
			poison, good := 0, 0
			var records []*kgo.Record
			for i, kind := range order {
				if kind == 'g' {
					good++
					records = append(records, alerting(topics.TradeExecutions, "k", i, 1)...)
					continue
				}
				poison++
				records = append(records, &kgo.Record{Topic: string(topics.TradeExecutions), Key: []byte("k"), Value: []byte(`{"a":`)})
			}
			c.Produce(records...)
			got(t, hook, good, 20*time.Second)
			testkafka.Eventually(t, 20*time.Second, "the sources are committed to their end", func() bool {
				at := int64(0)
				c.Committed(c.Group).Each(func(o kadm.OffsetResponse) { at += max(o.At, 0) })
				return at == int64(len(order))
			})
			if n := len(clitest.DeadLetters(t, c, topics.TradeExecutions)); n != poison {
				t.Errorf("%d dead letters of %d", n, poison)
			}
			if n := len(hook.Requests()); n != good {
				t.Errorf("%d posts of %d alerts", n, good)
			}
		})
	}
}
