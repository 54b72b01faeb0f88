package trouble

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/state"
)

// world is the state topic, the outbox of the notified channel, and a channel.
type world struct {
	t       *testing.T
	values  map[string][]byte // of the state topic
	refuse  error             // what the outbox answers
	sent    []alert.Alert     // those with a known id are dropped, as dedup does
	repeats int
	desk    Channel
}

func newWorld(t *testing.T) *world {
	return &world{t: t, values: make(map[string][]byte), desk: Channel{Name: "desk", Owned: true}}
}

func (w *world) Write(_ context.Context, records ...state.Record) error {
	for _, r := range records {
		w.values[r.Key] = r.Value
	}
	return nil
}

func (w *world) Send(_ context.Context, channel string, a alert.Alert) error {
	if channel != "mail" {
		w.t.Errorf("sent to %s", channel)
	}
	if w.refuse != nil {
		return w.refuse
	}
	if slices.ContainsFunc(w.sent, func(b alert.Alert) bool { return a.ID == b.ID }) {
		w.repeats++
		return nil
	}
	w.sent = append(w.sent, a)
	return nil
}

// process is one that has read the state topic.
func (w *world) process(to string) *Watcher {
	p := New(Params{
		Group: "g", To: to, Channels: func() []Channel { return []Channel{w.desk} }, Notices: w, State: later{w},
		Conditions: health.New(slog.New(slog.DiscardHandler), nil), Logger: slog.New(slog.DiscardHandler),
	})
	for key, value := range w.values {
		p.Learn(state.Record{Kind: state.Trouble, Channel: "desk", Key: key, Value: value})
	}
	return p
}

type later struct{ *world }

func (l later) Known(f func()) { go f() }

// run has a process watch for a time.
func run(p *Watcher, d time.Duration) {
	ctx, stop := context.WithTimeout(context.Background(), d)
	defer stop()
	_ = p.Run(ctx)
	synctest.Wait()
}

func (w *world) titles() (all []string) {
	for _, a := range w.sent {
		all = append(all, a.Title.String())
	}
	return all
}

func (w *world) want(titles ...string) {
	w.t.Helper()
	if got := w.titles(); !slices.Equal(got, titles) {
		w.t.Errorf("told:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(titles, "\n"))
	}
}

func (w *world) suspend() {
	now := time.Now()
	w.desk.Suspended, w.desk.Reason, w.desk.Since, w.desk.Do = "token_revoked", "token_revoked", now, "create a new token"
	w.desk.Waiting, w.desk.Oldest = 1, now
}

func TestSuspensionIsToldOnceWithItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.process("mail")
		run(p, time.Minute)
		w.suspend()
		oldest := stamp(time.Now())
		run(p, 5*time.Minute)
		w.desk.Waiting, w.desk.Fallback = 41, "mail"
		run(p, 7*time.Minute) // it is behind too, since it is suspended
		w.want("desk is suspended: token_revoked")
		w.desk.Suspended, w.desk.Reason, w.desk.Succeeded = "", "", time.Now()
		run(p, 50*time.Second) // it sends what has waited
		w.desk.Waiting, w.desk.Oldest = 0, time.Time{}
		run(p, time.Hour)
		w.want("desk is suspended: token_revoked", "desk was suspended for 11 m 55 s: token_revoked")
		first, last := w.sent[0], w.sent[1]
		if got, want := first.Text.String(), "1 alert waits, the oldest since "+oldest+".\nWhat to do: create a new token; or move what waits: notifier channels move desk CHANNEL."; got != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
		if got, want := last.Text.String(), "41 alerts waited, the oldest since "+oldest+"."; got != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
		if first.Severity != alert.Critical || last.Severity != alert.Info || last.State != alert.Resolved || first.KeyText() != last.KeyText() {
			t.Errorf("%+v\n%+v", first, last)
		}
		w.suspend() // another episode
		run(p, time.Minute)
		if len(w.sent) != 3 || w.repeats != 0 {
			t.Errorf("told %v, and %d repetitions", w.titles(), w.repeats)
		}
	})
}

func TestShortSuspensionIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.process("mail")
		w.suspend()
		run(p, 9*time.Second)
		w.desk.Suspended = ""
		run(p, time.Minute)
		w.want()
	})
}

func TestSlowChannelIsBehindAfterFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.process("mail")
		w.desk.Waiting, w.desk.Oldest, w.desk.Rate = 1080, time.Now(), "18 m 0 s to send at its rate"
		run(p, 4*time.Minute+59*time.Second)
		w.want()
		if p.p.Conditions.Message(health.Behind, "desk") != "" {
			t.Error("the condition is set already")
		}
		run(p, 6*time.Second)
		w.want("desk is behind: its oldest message has waited for 5 m 4 s")
		if p.p.Conditions.Message(health.Behind, "desk") == "" {
			t.Error("the condition is not set")
		}
		run(p, 10*time.Minute)
		w.desk.Oldest = time.Now().Add(-2 * time.Minute) // it catches up
		run(p, 30*time.Second)
		w.want("desk is behind: its oldest message has waited for 5 m 4 s")
		w.desk.Oldest = time.Now()
		run(p, 30*time.Second)
		w.want("desk is behind: its oldest message has waited for 5 m 4 s", "desk was behind for 10 m 36 s")
	})
}

func TestRetentionIsToldOnceWithItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.process("mail")
		w.desk.AtRisk, w.desk.KeptUntil = true, time.Date(2000, 1, 3, 9, 31, 0, 0, time.UTC)
		run(p, time.Hour)
		w.desk.AtRisk = false
		run(p, time.Hour)
		w.want("desk may lose alerts from 3 Jan 09:31 UTC on: its outbox keeps them no longer", "desk no longer risks to lose alerts, after 59 m 55 s")
	})
}

// TestRestartTellsNothingTwice: wherever a process dies.
func TestRestartTellsNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.process("mail")
		w.suspend()
		w.refuse = errors.New("no leader") // it dies before it could tell
		run(p, time.Minute)
		w.refuse = nil
		p = w.process("mail")
		run(p, time.Minute)
		w.want("desk is suspended: token_revoked")
		for i := range 3 { // and after it: the new owner does not know yet that it is suspended
			w.desk.Suspended = ""
			p = w.process("mail")
			run(p, 2*time.Minute)
			if i > 0 {
				w.suspend()
			}
			run(p, 2*time.Minute)
		}
		w.want("desk is suspended: token_revoked")
		unended := w.values[string(Suspended)]
		w.desk.Suspended, w.desk.Succeeded, w.desk.Oldest = "", time.Now().Add(time.Second), time.Time{}
		p = w.process("mail")
		run(p, 2*time.Minute)
		w.values[string(Suspended)] = unended // it dies before it could write that it told the end
		p = w.process("mail")
		w.desk.Succeeded = time.Now().Add(time.Second)
		run(p, 2*time.Minute)
		if len(w.sent) != 2 || w.repeats != 1 {
			t.Errorf("told %v, and %d repetitions", w.titles(), w.repeats)
		}
	})
}

func TestNobodyIsToldOnTheChannelItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, to := range []string{"", "desk"} {
			w := newWorld(t)
			p := w.process(to)
			w.suspend()
			run(p, 10*time.Minute)
			w.want()
			if p.p.Conditions.Message(health.Behind, "desk") == "" {
				t.Error("it is not shown either")
			}
		}
		w := newWorld(t)
		w.desk.Owned = false
		p := w.process("mail")
		w.suspend()
		run(p, 10*time.Minute)
		w.want()
	})
}
