package dispatch

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/envelope"
)

// fires makes an alert one of a rule with clear.
func fires(a *alert.Alert) { a.Clears, a.ID = true, "al_"+a.Key[0] }

// clears makes an alert one that ends an episode.
func clears(a *alert.Alert) { fires(a); a.State, a.Severity = alert.Resolved, alert.Info }

func TestEpisodeIsToldOnceAndResolved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		b := topic.process(t, 0, nil)
		b.ch.answer = func(m channel.Message, _ int) (channel.Receipt, error) {
			return channel.Receipt{ID: "receipt " + m.Delivery}, nil
		}
		began := time.Now()
		b.put("clear before", "A", clears)
		b.put("first", "A", fires)
		pass(time.Hour)
		b.put("counted", "A", fires)
		b.put("other key", "B", fires)
		synctest.Wait()
		b.put("worse", "A", fires, critical)
		b.put("counted again", "A", fires)
		pass(time.Hour)
		b.put("clear", "A", clears)
		b.put("clear again", "A", clears)
		b.put("next", "A", fires)
		pass(2 * saveEvery)
		if got := fmt.Sprint(b.ch.ids()); got != "[first other key worse clear next]" || b.left() != 0 {
			t.Fatalf("sent %s, %d left", got, b.left())
		}
		worse, clear, next := b.ch.all()[2].m, b.ch.all()[3].m, b.ch.all()[4].m
		if worse.Suppressed != 1 || worse.Opened != "receipt first" || !worse.Raised || clear.Raised {
			t.Errorf("the rise in severity tells %d more and opened %q, raised: %v", worse.Suppressed, worse.Opened, worse.Raised)
		}
		if clear.Suppressed != 1 || clear.Opened != "receipt first" || !clear.Since.Equal(began) || clear.Alert.Severity != alert.Critical || clear.Alert.State != alert.Resolved {
			t.Errorf("the resolved alert tells %+v", clear)
		}
		if next.Suppressed != 0 || next.Opened != "" {
			t.Errorf("the next episode tells %d more and opened %q", next.Suppressed, next.Opened)
		}
	})
}

func TestEpisodeSurvivesRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		former := topic.process(t, 0, nil)
		former.put("first", "A", fires)
		pass(time.Second)
		former.put("counted", "A", fires)
		pass(2 * saveEvery)
		former.close()
		next := topic.process(t, 2, nil)
		next.put("counted too", "A", fires)
		next.put("clear", "A", clears)
		pass(2 * saveEvery)
		next.close()
		if got := fmt.Sprint(next.ch.ids()); got != "[clear]" || next.ch.all()[0].m.Suppressed != 2 {
			t.Errorf("sent %s", got)
		}
		last := topic.process(t, 0, nil) // nothing was committed
		last.put("first", "A", fires)
		last.put("counted", "A", fires)
		last.put("counted too", "A", fires)
		last.put("clear", "A", clears)
		last.put("next", "A", fires)
		pass(2 * saveEvery)
		if got := fmt.Sprint(last.ch.ids()); got != "[next]" || last.left() != 0 {
			t.Errorf("sent again %s, %d left", got, last.left())
		}
	})
}

// TestFormerEpisodeIsNotToldAgain by an owner that reads it once more: it was more severe
// than the present one. The last message is sent again, since a recipient may lack it.
func TestFormerEpisodeIsNotToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		raise := func(b *bench) {
			for _, one := range []struct {
				id     string
				change []func(*alert.Alert)
			}{{"critical", []func(*alert.Alert){fires, critical}}, {"clear", []func(*alert.Alert){clears}}, {"warning", []func(*alert.Alert){fires}}} {
				b.put(one.id, "A", one.change...)
				pass(2 * saveEvery)
			}
		}
		former := topic.process(t, 0, nil)
		raise(former)
		former.close()
		b := topic.process(t, 0, nil)
		raise(b)
		if got := fmt.Sprint(former.ch.ids(), b.ch.ids()); got != "[critical clear warning] [warning]" || b.left() != 0 {
			t.Errorf("sent %s, %d left", got, b.left())
		}
	})
}

// TestResolveWaitsForEpisodes: without them it would be taken for unneeded.
func TestResolveWaitsForEpisodes(t *testing.T) {
	for known := range 2 {
		synctest.Test(t, func(t *testing.T) {
			topic := &stateTopic{hidden: true}
			b := topic.process(t, 0, nil)
			b.put("clear", "A", clears)
			pass(stateWithin / 2)
			if n := len(b.ch.ids()); n > 0 || b.left() != 1 {
				t.Fatalf("%d sent, %d left before the episodes are known", n, b.left())
			}
			want := "[clear]" // it may be needed
			if known == 1 {
				topic.set(func(s *stateTopic) { s.hidden = false })
				want = "[]"
			}
			pass(endWithin)
			if got := fmt.Sprint(b.ch.ids()); got != want || b.left() != 0 {
				t.Errorf("known %d: sent %s, %d left", known, got, b.left())
			}
		})
	}
}

// TestResolvedBeforeItWasSentIsOneMessage: the channel was down meanwhile.
func TestResolvedBeforeItWasSentIsOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		b := topic.process(t, 0, nil)
		b.ch.answer = down
		began := time.Now()
		b.put("blocks", "Z")
		pass(time.Minute)
		since := time.Now()
		b.put("first", "A", fires)
		b.put("second", "A", fires)
		b.put("stays", "B", fires)
		pass(40 * time.Second)
		b.put("clear", "A", clears)
		b.ch.set(nil)
		pass(time.Minute)
		var sent []string
		for _, s := range b.ch.all() {
			if s.at.After(began.Add(100*time.Second)) && s.id != "blocks" {
				sent = append(sent, s.id)
				if s.id == "clear" && (!s.m.Since.Equal(since) || s.m.Suppressed != 2) {
					t.Errorf("it tells %d alerts since %s", s.m.Suppressed, s.m.Since)
				}
			}
		}
		slices.Sort(sent)
		if got := fmt.Sprint(sent); got != "[clear stays]" || b.left() != 0 {
			t.Errorf("sent %s, %d left", got, b.left())
		}
	})
}

// TestDigestTellsOneStateOfAKey: what it fired and cleared while it was gathered.
func TestDigestTellsOneStateOfAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		b := topic.process(t, 0, nil, withDigest)
		in := group("accounts")
		b.put("first", "A", fires, in)
		pass(time.Second)
		b.put("B fires", "B", fires, in)
		b.put("A clears", "A", clears, in)
		b.put("A fires again", "A", fires, in)
		b.put("B clears", "B", clears, in)
		b.put("C clears", "C", clears, in)
		pass(10 * time.Minute)
		var told []string
		for _, s := range b.ch.all() {
			for _, a := range itemsOf(s.m) {
				told = append(told, a.Key[0]+" "+string(a.State))
			}
			told = append(told, ".")
		}
		if got := fmt.Sprint(told); got != "[A  . A resolved . A  B resolved .]" || b.left() != 0 {
			t.Errorf("told %s, %d left", got, b.left())
		}
	})
}

func TestDeadLetteredResolveEndsItsEpisode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		b := topic.process(t, 0, nil)
		b.ch.answer = func(m channel.Message, _ int) (channel.Receipt, error) {
			if m.Alert.State == alert.Resolved {
				return channel.Receipt{}, errRefused
			}
			return channel.Receipt{}, nil
		}
		b.put("first", "A", fires)
		pass(time.Second)
		b.put("clear", "A", clears)
		b.put("next", "A", fires)
		pass(time.Minute)
		if got := fmt.Sprint(b.ch.ids()); got != "[first clear next]" || fmt.Sprint(b.dead.ids()) != "[clear]" {
			t.Errorf("sent %s, dead letters %v", got, b.dead.ids())
		}
	})
}

// TestThrottleCountsAnEpisodeThatComesBack: a flapping key is told once per throttle.
func TestThrottleCountsAnEpisodeThatComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		b := topic.process(t, 0, nil)
		for i := range 6 {
			b.put(fmt.Sprint("fires ", i), "A", fires, hour)
			pass(10 * time.Minute)
			b.put(fmt.Sprint("clears ", i), "A", clears, hour)
			pass(10 * time.Minute)
		}
		if got := fmt.Sprint(b.ch.ids()); got != "[fires 0 clears 0 fires 3 clears 3]" || b.left() != 0 {
			t.Errorf("sent %s, %d left", got, b.left())
		}
	})
}

// TestMovedResolvedAlertTellsOfTheEpisode: the channel that gets it was told of no firing.
func TestMovedResolvedAlertTellsOfTheEpisode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		b, s := topic.process(t, 0, nil), &shelf{}
		b.p.Outboxes = s
		began := time.Now()
		b.put("first", "A", fires)
		pass(time.Hour)
		b.ch.set(down401)
		b.put("suspends", "S")
		b.put("clear", "A", clears)
		pass(time.Second)
		request := control.Request{From: "desk", To: "mail", TopicID: b.src.input.Topic, Below: map[int32]int64{b.src.input.Partition: 1000}}
		b.Move(request)
		pass(time.Second)
		b.MoveEnded(request)
		i := slices.IndexFunc(s.taken, func(e *envelope.Envelope) bool { return e.Alert.State == alert.Resolved })
		if i < 0 || !s.taken[i].Alert.Since.Equal(began) {
			t.Errorf("moved %v, not with the beginning of the episode", s.rules())
		}
		b.ch.set(nil)
		b.put("next", "A", fires)
		pass(time.Hour)
		if got := b.ch.ids(); got[len(got)-1] != "next" {
			t.Errorf("sent %v: the next episode is not told", got)
		}
	})
}

// TestSettleWaitsForEpisode: a crash before the acknowledgement tells again what the episode
// does not know of.
func TestSettleWaitsForEpisode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := &stateTopic{hold: make(chan struct{})}
		b := topic.process(t, 0, nil)
		b.put("first", "A", fires)
		pass(saveEvery)
		b.put("end", "A", clears)
		pass(saveEvery)
		if got := fmt.Sprint(b.ch.ids()); got != "[first end]" || b.unsettled() != 2 || b.src.uncommitted() != 2 {
			t.Fatalf("sent %s, %d wait for the state topic, %d would be repeated", got, b.unsettled(), b.src.uncommitted())
		}
		close(topic.hold)
		pass(2 * saveEvery)
		if b.unsettled() != 0 || b.src.uncommitted() != 0 || b.src.inFlight != 0 {
			t.Errorf("%d wait for the state topic, %d would be repeated, %d in flight", b.unsettled(), b.src.uncommitted(), b.src.inFlight)
		}
	})
}
