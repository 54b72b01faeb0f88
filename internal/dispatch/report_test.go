package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/silence"
)

// notices collects the alerts of the notifier itself.
type notices struct {
	mu   sync.Mutex
	sent []alert.Alert
	err  error
}

func (n *notices) Send(_ context.Context, _ string, a alert.Alert) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err == nil {
		n.sent = append(n.sent, a)
	}
	return n.err
}

func (n *notices) fail(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.err = err
}

func (n *notices) titles() (titles []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range n.sent {
		titles = append(titles, a.Title.String())
	}
	return titles
}

func TestSilenceEndsWithOneReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		told := &notices{}
		b := topic.process(t, 0, nil)
		b.p.Notices = told
		topic.silence(t, "rule=r*", time.Hour, true)
		for i, severity := range []alert.Severity{alert.Info, alert.Critical, alert.Warning} {
			b.put(fmt.Sprint("silenced", i), "A", func(a *alert.Alert) {
				a.Rule, a.Severity, a.Title = fmt.Sprint("r", i%2), severity, alert.Text{{Text: "of " + string(severity)}}
			})
		}
		pass(time.Hour)
		if got := told.titles(); got != nil {
			t.Fatalf("told %q before it ended", got)
		}
		b.put("sent", "A")
		told.fail(errors.New("no outbox"))
		pass(2 * reportAfter)
		told.fail(nil)
		pass(2 * retryReport)
		if got := b.ch.ids(); !slices.Equal(got, []string{"sent"}) {
			t.Errorf("sent %v", got)
		}
		b.close()
		next := topic.process(t, 4, nil)
		next.p.Notices = told
		next.wake()
		pass(time.Hour)
		want := []string{"Silence sil_1 ended (venue migration): 3 alerts suppressed, worst critical"}
		if got := told.titles(); !slices.Equal(got, want) {
			t.Fatalf("told %q, want %q", got, want)
		}
		if f := told.sent[0].Fields; f[0].Value.String() != "r0 (2), r1 (1)" || f[1].Value.String() != "of critical" || f[2].Value.String() != "rule=r*" {
			t.Errorf("fields %v", f)
		}
	})
}

// TestQuietAlertsAreToldInSummary: an alert of an earlier quiet time is told apart.
func TestQuietAlertsAreToldInSummary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		told := &notices{}
		b := topic.process(t, 0, nil)
		b.p.Notices = told
		log := &logged{}
		b.p.Deliveries = log
		until := time.Now().Add(8 * time.Hour)
		quiet := func(a *alert.Alert) { a.Quiet, a.QuietUntil = "overnight", until }
		b.put("a", "A", quiet)
		b.put("b", "B", quiet)
		b.put("resolved", "A", quiet, func(a *alert.Alert) { a.State, a.Clears, a.Since = alert.Resolved, true, time.Now().Add(-time.Minute) })
		b.put("critical", "A", quiet, func(a *alert.Alert) { a.Severity = alert.Critical })
		pass(8 * time.Hour)
		log.answer(nil)
		b.put("late", "A", quiet)
		pass(time.Minute)
		log.answer(nil)
		want := []string{"Quiet hours overnight ended: 3 alerts suppressed, worst warning"}
		if got := told.titles(); !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		b.put("later", "A", quiet)
		pass(time.Minute)
		want = append(want, "Quiet hours overnight ended: 1 more alert suppressed, worst warning")
		if got := told.titles(); !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		if got := slices.Sorted(slices.Values(b.ch.ids())); !slices.Equal(got, []string{"critical", "resolved"}) {
			t.Errorf("sent %v", got)
		}
		why := "quiet hours overnight, until " + until.UTC().Format("2006-01-02 15:04") + " UTC"
		if list := log.of("a"); len(list) != 1 || list[0].Silence != "overnight" || list[0].Detail != why {
			t.Errorf("the delivery log has %+v", list)
		}
	})
}

// TestOneOwnerReportsForAll: two processes own a partition each.
func TestOneOwnerReportsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		told := &notices{}
		a, b := topic.process(t, 0, nil), topic.process(t, 0, nil)
		b.leave(b.src)
		b.src = &source{input: offsets.Input{Partition: 1}}
		b.join(b.src)
		a.p.Notices, b.p.Notices = told, told
		topic.silence(t, "rule=r", time.Hour, false)
		for i := range 3 {
			a.put(fmt.Sprint("a", i), "A")
			b.put(fmt.Sprint("b", i), "B")
		}
		b.put("b3", "B")
		pass(2 * time.Hour)
		want := []string{"Silence sil_1 ended (venue migration): 7 alerts suppressed, worst warning"}
		if got := told.titles(); !slices.Equal(got, want) || a.unsettled()+b.unsettled() > 0 {
			t.Errorf("told %q, want %q", got, want)
		}
		if got := topic.last(); !strings.Contains(got["sil_1/told"], `"told":7`) || !strings.Contains(got["sil_1/0"], `"count":3`) || !strings.Contains(got["sil_1/1"], `"count":4`) {
			t.Errorf("the state topic has %v", got)
		}
		pass(silence.Kept)
		for key, value := range topic.last() {
			if strings.HasPrefix(key, "sil_1/") && value != "" {
				t.Errorf("after a week the state topic has %s: %s", key, value)
			}
		}
	})
}
