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
	"github.com/algotrade/notifier/internal/outcome"
)

// TestEvaluatedAgainDoesNotEndALaterEpisode: the outbox holds no resolved alert of an event
// that came when its key was resolved already.
func TestEvaluatedAgainDoesNotEndALaterEpisode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		b := topic.process(t, 0, nil)
		earlier := time.Now()
		pass(time.Hour)
		b.put("fires", "A", fires)
		pass(time.Second)
		again := func(id string, at time.Time) {
			d := b.delivery(id, "A")
			clears(d.envelope.Alert)
			d.envelope.Alert.EventTime, d.envelope.MayBeDuplicate = at, true
			b.end++
			d.at.Offset = b.end
			b.add(b.src, d)
			pass(2 * saveEvery)
		}
		again("before", earlier)
		if got := fmt.Sprint(b.ch.ids()); got != "[fires]" || b.left() != 0 {
			t.Fatalf("sent %s, %d left", got, b.left())
		}
		again("after", time.Now())
		if got := fmt.Sprint(b.ch.ids()); got != "[fires after]" || b.left() != 0 {
			t.Errorf("sent %s, %d left", got, b.left())
		}
	})
}

// TestEndIsToldWhereFiringMayBe: an attempt may have succeeded, and then policy, or another
// channel, took the firing over. What fires after that is sent.
func TestEndIsToldWhereFiringMayBe(t *testing.T) {
	for name, then := range map[string]func(*testing.T, *stateTopic, *bench){
		"silenced": func(t *testing.T, topic *stateTopic, _ *bench) { topic.silence(t, "key=A", 30*time.Minute, true) },
		"expired":  func(*testing.T, *stateTopic, *bench) { pass(15 * time.Minute) },
		"moved": func(_ *testing.T, _ *stateTopic, b *bench) {
			b.Move(control.Request{From: "desk", To: "mail", TopicID: b.src.input.Topic, Below: map[int32]int64{b.src.input.Partition: 1}})
		},
	} {
		for told, want := range map[bool]string{false: "[clear next]", true: "[next clear]"} {
			t.Run(fmt.Sprint(name, told), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var topic stateTopic
					b := topic.process(t, 0, nil)
					b.p.Outboxes = &shelf{}
					b.ch.answer = func(channel.Message, int) (channel.Receipt, error) {
						return channel.Receipt{}, outcome.Errorf(outcome.Timeout, "no answer")
					}
					b.put("in doubt", "A", fires, func(a *alert.Alert) { a.Expire = 10 * time.Minute })
					synctest.Wait()
					then(t, &topic, b)
					b.ch.set(nil)
					pass(time.Hour)
					tried := len(b.ch.ids())
					if told {
						b.put("next", "A", fires)
						pass(time.Second)
					}
					b.put("clear", "A", clears)
					b.put("clear again", "A", clears)
					if !told {
						b.put("next", "A", fires)
					}
					pass(2 * saveEvery)
					if got := fmt.Sprint(b.ch.ids()[tried:]); got != want || b.left() != 0 {
						t.Errorf("sent %s, want %s, %d left", got, want, b.left())
					}
				})
			})
		}
	}
}

// TestEndInFallbackChannelTellsOfItsEpisode, and ends it: ingest did not write it there.
func TestEndInFallbackChannelTellsOfItsEpisode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		b, s := topic.process(t, 0, nil, func(c *Config) { c.Fallback = Fallback{To: "mail", After: 20 * time.Second} }), &shelf{}
		b.p.Outboxes = s
		began := time.Now()
		b.put("first", "A", fires)
		pass(time.Hour)
		b.ch.set(invalidAuth)
		b.put("suspends", "S")
		b.put("clear", "A", clears)
		pass(time.Minute)
		i := slices.IndexFunc(s.taken, func(e *envelope.Envelope) bool { return e.Alert.State == alert.Resolved })
		if i < 0 || !s.taken[i].Alert.Since.Equal(began) {
			t.Fatalf("%v went to the other channel, not with the beginning of the episode", s.rules())
		}
		b.ch.set(nil)
		pass(lastProbe)
		recovers := b.delivery("recovers", "S")
		recovers.envelope.Replay = &envelope.Replay{} // it is for this channel
		b.add(b.src, recovers)
		pass(time.Second)
		b.put("next", "A", fires)
		pass(time.Second)
		if got := b.ch.ids(); got[len(got)-1] != "next" {
			t.Errorf("sent %v: the next episode is not told", got)
		}
	})
}

// TestUnknownEpisodesAreNoFloodOfResolved: ingest raises one for each key after a start.
func TestUnknownEpisodesAreNoFloodOfResolved(t *testing.T) {
	for _, keys := range []int{5, 100} { // the last one's resolved alert is sent, or dropped
		synctest.Test(t, func(t *testing.T) { testUnknownEpisodes(t, keys) })
	}
}

func testUnknownEpisodes(t *testing.T, keys int) {
	topic := stateTopic{}
	former := topic.process(t, 0, nil)
	former.put("fires", "A", fires)
	pass(2 * saveEvery)
	former.close()
	topic.hidden = true
	b := topic.process(t, 1, nil)
	for i := range keys {
		b.put(fmt.Sprint("clear", i), fmt.Sprint("K", i), clears)
	}
	b.put("clear", "A", clears)
	b.put("clears", "B", clears)
	pass(stateWithin + time.Second)
	if got := b.ch.ids(); len(got) > 0 {
		t.Fatalf("sent %v before it is known what fires", got)
	}
	b.put("fires now", "B", fires)
	b.put("other", "C", fires)
	synctest.Wait()
	if got := b.ch.ids(); fmt.Sprint(slices.Sorted(slices.Values(got))) != "[fires now other]" {
		t.Fatalf("sent %v, alerts wait for what is resolved", got)
	}
	b.put("clears again", "B", clears)
	pass(endWithin)
	if n := len(b.ch.ids()); n != 3+min(keys+1, maxUnsure) || b.left() != 0 {
		t.Fatalf("sent %d, %d left", n, b.left())
	}
	topic.set(func(s *stateTopic) { s.hidden = false })
	pass(time.Second)
	b.put("next", "A", fires)
	pass(time.Second)
	if got := b.ch.ids(); got[len(got)-1] != "next" || b.left() != 0 {
		t.Errorf("sent %v: what fires next is counted", got)
	}
}

// TestEpisodeKnownDuringItsEndIsOver: the state topic can be read again while the resolved
// alert is on its way.
func TestEpisodeKnownDuringItsEndIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		former := topic.process(t, 0, nil)
		former.put("fires", "A", fires)
		pass(2 * saveEvery)
		former.close()
		topic.hidden = true
		b := topic.process(t, 1, nil)
		b.ch.answer = func(channel.Message, int) (channel.Receipt, error) {
			topic.set(func(s *stateTopic) { s.hidden = false })
			time.Sleep(time.Second)
			return channel.Receipt{}, nil
		}
		b.put("clear", "A", clears)
		pass(2 * endWithin)
		b.put("next", "A", fires)
		pass(2 * time.Second)
		if got := fmt.Sprint(b.ch.ids()); got != "[clear next]" || b.left() != 0 {
			t.Errorf("sent %s, %d left", got, b.left())
		}
	})
}

// TestMovedEndSettlesOnceItsEpisodeIsOver: until then a crash has to find it again, or the
// episode stays open.
func TestMovedEndSettlesOnceItsEpisodeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		b := topic.process(t, 0, nil)
		b.p.Outboxes = &shelf{}
		b.put("first", "A", fires)
		pass(2 * saveEvery)
		b.ch.set(down401)
		b.put("suspends", "S")
		b.put("clear", "A", clears)
		pass(time.Second)
		hold := make(chan struct{})
		topic.set(func(s *stateTopic) { s.hold = hold })
		b.Move(control.Request{From: "desk", To: "mail", TopicID: b.src.input.Topic, Below: map[int32]int64{b.src.input.Partition: 1000}})
		pass(time.Second)
		if n := b.unsettled(); n != 1 || b.left() != 0 {
			t.Fatalf("%d wait for the state topic, %d are left", n, b.left())
		}
		close(hold)
		pass(time.Second)
		if n := b.unsettled(); n != 0 {
			t.Errorf("%d are not settled", n)
		}
	})
}
