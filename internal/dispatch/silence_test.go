package dispatch

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/silence"
)

// silence has all processes know of a silence from now on.
func (s *stateTopic) silence(t *testing.T, match string, ends time.Duration, critical bool) *silence.Silence {
	t.Helper()
	m, err := silence.ParseMatcher(match)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	one, err := silence.New([]silence.Matcher{m}, now, now.Add(ends), "ann", "venue migration", critical)
	if err != nil {
		t.Fatal(err)
	}
	one.ID = "sil_1"
	s.set(func(s *stateTopic) { s.log = append(s.log, one.Record()) })
	synctest.Wait()
	return one
}

func (s *stateTopic) expire(one *silence.Silence) {
	one.Ends, one.ExpiredBy = time.Now(), "bob"
	s.set(func(s *stateTopic) { s.log = append(s.log, one.Record()) })
	synctest.Wait()
}

func TestSilenceKeepsAlertsFromBeingSent(t *testing.T) {
	for _, critical := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var topic stateTopic
			b := topic.process(t, 0, nil)
			log := &logged{}
			b.p.Deliveries = log
			topic.silence(t, "rule=r", time.Hour, critical)
			b.put("warning", "A")
			b.put("other", "A", func(a *alert.Alert) { a.Rule = "s" })
			b.put("own", "A", func(a *alert.Alert) { a.Rule, a.Topic = alert.Notifier, alert.Notifier })
			b.put("critical", "A", func(a *alert.Alert) { a.Severity = alert.Critical })
			b.put("resolved", "A", func(a *alert.Alert) { a.State, a.Clears, a.Since = alert.Resolved, true, time.Now().Add(-time.Minute) })
			again := b.delivery("replayed", "A")
			again.envelope.Replay = &envelope.Replay{}
			b.add(b.src, again)
			pass(time.Second)
			want := []string{"critical", "other", "own", "replayed", "resolved"}
			if critical {
				want = want[1:]
			}
			if got := slices.Sorted(slices.Values(b.ch.ids())); !slices.Equal(got, want) || b.left() != 0 {
				t.Errorf("sent %v, want %v; %d left", got, want, b.left())
			}
			log.answer(nil)
			if list := log.of("warning"); len(list) != 1 || list[0].Decision != "silenced" || list[0].Silence != "sil_1" || list[0].Detail != "silence sil_1 of ann: venue migration" {
				t.Errorf("the delivery log has %+v", list)
			}
		})
	}
}

// TestSilencedDeliverySettlesOnceItIsCounted: until then a crash reads it again.
func TestSilencedDeliverySettlesOnceItIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := stateTopic{hold: make(chan struct{})}
		b := topic.process(t, 0, nil)
		topic.silence(t, "rule=r", time.Hour, false)
		b.put("a", "A")
		pass(2 * saveEvery)
		if b.unsettled() != 1 {
			t.Fatal("it is settled before the state topic has its count")
		}
		close(topic.hold)
		pass(time.Second)
		if b.unsettled() != 0 {
			t.Error("it is not settled")
		}
	})
}

// TestNewOwnerCountsEachAlertOnce: what its former owner counted and did not commit
// comes again.
func TestNewOwnerCountsEachAlertOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		told := &notices{}
		former := topic.process(t, 0, nil)
		topic.silence(t, "key=A", time.Hour, false)
		former.put("1", "A")
		former.put("2", "A")
		pass(2 * saveEvery)
		former.close()
		b := topic.process(t, 1, nil)
		b.p.Notices = told
		b.put("2", "A")
		b.put("3", "A")
		pass(2 * saveEvery)
		b.close()
		last := topic.process(t, 3, nil)
		last.p.Notices = told
		last.wake()
		pass(2 * time.Hour)
		want := "Silence sil_1 ended (venue migration): 3 alerts suppressed, worst warning"
		if got := told.titles(); !slices.Equal(got, []string{want}) || len(b.ch.ids())+len(former.ch.ids()) > 0 {
			t.Errorf("told %q, want %q; sent %v", got, want, b.ch.ids())
		}
	})
}

func TestExpiredSilenceStaysExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		told := &notices{}
		b := topic.process(t, 0, nil)
		b.p.Notices = told
		one := topic.silence(t, "rule=r", time.Hour, false)
		b.put("silenced", "A")
		pass(time.Minute)
		topic.expire(one)
		b.put("1", "A")
		pass(2 * reportAfter)
		b.close()
		next := topic.process(t, 2, nil)
		next.put("2", "A")
		pass(time.Second)
		if got := append(b.ch.ids(), next.ch.ids()...); !slices.Equal(got, []string{"1", "2"}) {
			t.Errorf("sent %v", got)
		}
		if got := told.titles(); len(got) != 1 || !strings.Contains(got[0], "1 alert suppressed") {
			t.Errorf("told %q", got)
		}
	})
}

// TestAlertsWaitForSilencesAfterStart: a restart forgets none.
func TestAlertsWaitForSilencesAfterStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := &stateTopic{}
		topic.silence(t, "key=A", time.Hour, false)
		topic.set(func(s *stateTopic) { s.hidden = true })
		b := topic.process(t, 0, nil)
		b.put("silenced", "A")
		b.put("plain", "B")
		pass(stateWithin / 2)
		if got := b.ch.ids(); len(got) > 0 {
			t.Fatalf("sent %v before the silences are known", got)
		}
		topic.set(func(s *stateTopic) { s.hidden = false })
		pass(time.Second)
		if got := b.ch.ids(); !slices.Equal(got, []string{"plain"}) {
			t.Errorf("sent %v", got)
		}
	})
}

// TestSilencedAlertsLeaveFailedDigest: the others are sent.
func TestSilencedAlertsLeaveFailedDigest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		b := topic.process(t, 0, nil, withDigest)
		log := &logged{}
		b.p.Deliveries = log
		b.put("first", "A", group("XNAS"))
		pass(time.Second)
		b.ch.set(down)
		for _, key := range []string{"B", "C", "D"} {
			b.put(key, key, group("XNAS"))
		}
		pass(2 * time.Minute)
		if n := len(b.ch.all()); n < 2 || b.left() != 3 {
			t.Fatalf("%d attempts, %d left", n, b.left())
		}
		topic.silence(t, "key=B", time.Hour, false)
		b.ch.set(nil)
		pass(time.Minute)
		log.answer(nil)
		var got []string
		for _, id := range []string{"B", "C", "D"} {
			for _, r := range log.of(id) {
				got = append(got, id+" "+string(r.Decision))
			}
		}
		if want := []string{"B silenced", "C delivered", "D delivered"}; b.left() != 0 || !slices.Equal(got, want) {
			t.Errorf("%d left, %v, want %v", b.left(), got, want)
		}
	})
}
