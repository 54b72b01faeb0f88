package dispatch

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/offsets"
)

// loop is the producer of a dispatcher's own outbox.
type loop struct {
	*shelf
	b *bench
}

func (l *loop) put(e *envelope.Envelope) error {
	l.b.mu.Lock()
	l.b.end++
	d := &delivery{envelope: e, at: offsets.Position{Offset: l.b.end}, laneKey: []byte(e.Alert.Key[0])}
	l.b.mu.Unlock()
	go l.b.add(l.b.src, d)
	return nil
}

// looped returns a process that owns the outbox and can put records into it.
func looped(t *testing.T, topic *stateTopic, offset int64, change ...func(*Config)) (*bench, *shelf) {
	t.Helper()
	b := topic.process(t, offset, nil, change...)
	b.p.Name = "desk"
	s := &shelf{}
	s.answer = (&loop{s, b}).put
	b.p.Outboxes = s
	return b, s
}

func hourly(a *alert.Alert) { fires(a); a.Remind = time.Hour }

func hourlyClears(a *alert.Alert) { clears(a); a.Remind = time.Hour }

func TestOpenEpisodeIsRemindedUntilResolved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		b, _ := looped(t, &topic, 0)
		b.ch.answer = func(m channel.Message, _ int) (channel.Receipt, error) {
			return channel.Receipt{ID: "receipt " + m.Delivery}, nil
		}
		began := time.Now()
		b.put("first", "A", hourly)
		b.put("without", "B", fires)
		pass(30 * time.Minute)
		b.put("counted", "A", hourly, func(a *alert.Alert) { a.Title = alert.Text{{Text: "newest"}} })
		pass(45 * time.Minute)
		b.put("worse", "A", hourly, critical)
		pass(150 * time.Minute)
		b.put("clear", "A", hourlyClears)
		pass(5 * time.Hour)
		var got []string
		for _, s := range b.ch.all() {
			if s.m.Alert.Key[0] == "A" {
				got = append(got, fmt.Sprint(s.at.Sub(began).Round(time.Minute), s.m.Reminder, s.m.Suppressed, s.m.Alert.Severity))
			}
		}
		want := "[0s false 0warning 1h0m0s true 1warning 1h15m0s false 0critical 2h15m0s true 0critical 3h15m0s true 0critical 3h45m0s false 0critical]"
		if fmt.Sprint(got) != want || b.left() != 0 {
			t.Fatalf("sent %v, want %s, %d left", got, want, b.left())
		}
		m := b.ch.all()[2].m
		if !m.Since.Equal(began) || m.Opened != "receipt first" || m.Alert.Title.String() != "newest" || m.Alert.Expire != 0 || !m.Alert.EventTime.Equal(began.Add(time.Hour)) {
			t.Errorf("the first reminder is %+v", m)
		}
	})
}

// TestNewOwnerContinuesReminders: what the former one has put is not sent twice.
func TestNewOwnerContinuesReminders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		former, _ := looped(t, &topic, 0)
		former.put("first", "A", hourly)
		pass(90 * time.Minute)
		former.close()
		reminded := former.ch.all()[1]
		b, s := looped(t, &topic, 2)
		again := reminded.m.Alert
		b.add(b.src, &delivery{envelope: &envelope.Envelope{Delivery: reminded.id, Alert: &again, Channel: "desk"}, at: offsets.Position{Offset: 1}, laneKey: []byte("A")})
		pass(29 * time.Minute)
		if n := len(b.ch.ids()); n != 0 {
			t.Fatalf("%d sent before the next is due", n)
		}
		pass(2 * time.Hour)
		if all := b.ch.all(); len(all) != 2 || all[0].m.Alert.Reminder != 2 || all[1].m.Alert.Reminder != 3 || len(s.taken) != 2 || b.left() != 0 {
			t.Errorf("sent %v, %d put, %d left", b.ch.ids(), len(s.taken), b.left())
		}
	})
}

// TestReminderIsPutAgainUntilItIs, and none while the channel is down but one.
func TestReminderIsPutAgainUntilItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		b, s := looped(t, &topic, 0)
		put := s.answer
		b.put("first", "A", hourly)
		pass(time.Minute)
		s.set(func(*envelope.Envelope) error { return errDown })
		pass(time.Hour)
		if s.calls < 2 || len(b.ch.ids()) != 1 {
			t.Fatalf("%d tries, sent %v", s.calls, b.ch.ids())
		}
		s.set(put)
		b.ch.set(down)
		pass(5 * time.Hour)
		b.ch.set(nil)
		pass(30 * time.Minute)
		reminders := make(map[string]bool)
		for _, one := range b.ch.all()[1:] {
			reminders[one.id] = true
		}
		if len(reminders) != 1 || b.left() != 0 {
			t.Errorf("the reminders %v were tried, %d left", reminders, b.left())
		}
	})
}

// inForce is the rules: one that clears, with quiet hours until a time.
type inForce struct {
	rule  string
	until time.Time
}

func (r inForce) Clears(rule string) bool { return rule == r.rule }

func (r inForce) Quiet(_, channel string, s alert.Severity, at time.Time) (string, time.Time) {
	if channel == "desk" && s == alert.Warning && at.Before(r.until) {
		return "overnight", r.until
	}
	return "", time.Time{}
}

// TestReminderIsSilentInQuietHours, but not that of a critical alert.
func TestReminderIsSilentInQuietHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		told := &notices{}
		b, _ := looped(t, &topic, 0)
		b.p.Notices = told
		b.UseRules(inForce{rule: "r", until: time.Now().Add(150 * time.Minute)})
		b.put("warning", "A", hourly)
		b.put("critical", "B", hourly, critical)
		pass(190 * time.Minute)
		sent := make(map[string]int)
		for _, s := range b.ch.all() {
			sent[s.m.Alert.Key[0]]++
		}
		if sent["A"] != 2 || sent["B"] != 4 || len(told.titles()) > 0 || b.left() != 0 {
			t.Errorf("sent %v, told %q, %d left", sent, told.titles(), b.left())
		}
	})
}

// TestEpisodeOfRemovedRuleEnds after other instances had time to read the rules.
func TestEpisodeOfRemovedRuleEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		b, _ := looped(t, &topic, 0)
		b.UseRules(inForce{rule: "r"})
		b.put("first", "A", hourly)
		b.put("stays", "B", fires)
		pass(20 * time.Minute)
		b.UseRules(inForce{})
		pass(10 * time.Minute)
		b.UseRules(inForce{rule: "r"}) // a mistake that was corrected
		pass(20 * time.Minute)
		if n := len(b.ch.ids()); n != 2 {
			t.Fatalf("%d sent while the rule was back", n)
		}
		b.UseRules(inForce{})
		pass(20 * time.Minute)
		all := b.ch.all()
		if len(all) != 4 || all[2].m.Alert.State != alert.Resolved || all[3].m.Alert.State != alert.Resolved || all[2].m.Since.IsZero() || all[2].m.Alert.Text.String() == "" {
			t.Errorf("sent %v", b.ch.ids())
		}
		pass(24 * time.Hour)
		if n := len(b.ch.ids()); n != 4 || b.left() != 0 {
			t.Errorf("%d sent in the end, %d left", n, b.left())
		}
	})
}

// TestSilencedEpisodeIsNotReminded until the silence ends.
func TestSilencedEpisodeIsNotReminded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		told := &notices{}
		b, _ := looped(t, &topic, 0)
		b.p.Notices = told
		began := time.Now()
		b.put("first", "A", hourly)
		pass(30 * time.Minute)
		b.put("counted", "A", hourly)
		topic.silence(t, "key=A", 2*time.Hour, false)
		pass(5 * time.Hour)
		var got []string
		for _, s := range b.ch.all() {
			got = append(got, fmt.Sprint(s.at.Sub(began).Round(time.Minute), s.m.Reminder, s.m.Suppressed))
		}
		if want := "[0s false 0 3h0m0s true 1 4h0m0s true 0 5h0m0s true 0]"; fmt.Sprint(got) != want || b.left() != 0 {
			t.Errorf("sent %v, want %s, %d left", got, want, b.left())
		}
		if got := told.titles(); len(got) != 0 {
			t.Errorf("told %q", got)
		}
	})
}

// TestReminderDoesNotFallBack: the other channel was not told of the episode, and drops it.
func TestReminderDoesNotFallBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		b, s := looped(t, &topic, 0, func(c *Config) { c.Fallback = Fallback{To: "mail", After: 20 * time.Second} })
		b.put("first", "A", hourly)
		pass(time.Minute)
		b.ch.set(down)
		pass(150 * time.Minute)
		for _, e := range s.taken {
			if e.Channel == "mail" {
				t.Fatalf("%s went to the other channel", e.Delivery)
			}
		}
		b.ch.set(nil)
		pass(10 * time.Minute)
		if all := b.ch.all(); !all[len(all)-1].m.Reminder || b.left() != 0 {
			t.Errorf("sent %v, %d left", b.ch.ids(), b.left())
		}
	})
}

// TestRemovedChannelIsToldNothingMore: what waits in its outbox is to be moved.
func TestRemovedChannelIsToldNothingMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		former, _ := looped(t, &topic, 0)
		former.put("first", "A", hourly)
		topic.silence(t, "key=B", time.Hour, false)
		former.put("silenced", "B", fires)
		pass(2 * saveEvery)
		former.close()
		b, s := looped(t, &topic, 2)
		told := &notices{}
		b.p.Name, b.p.Notices = "unknown", told
		b.wake()
		pass(3 * time.Hour)
		if len(s.taken)+len(told.titles()) > 0 {
			t.Errorf("put %d, told %q", len(s.taken), told.titles())
		}
	})
}
