package dispatch

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/silence"
	"github.com/algotrade/notifier/internal/state"
	"github.com/algotrade/notifier/internal/throttle"
)

// silencing knows which alerts are not to be sent, and counts those that were not: by
// silence, or by the end of quiet hours, and by partition, since each has one owner.
type silencing struct {
	by       string // tells the records that this process writes from others
	silences map[string]*silence.Silence
	active   []*silence.Silence // in the order of their ids, at the last look
	tallies  map[silence.TallyKey]*tally
	told     map[string]int // how many of a cause the reports have told
	known    bool           // the silences of before the start are known, or not waited for
	telling  bool           // a report is under way
	look     time.Time      // not before this is there one to send; zero: that is not known
}

// cause is what keeps an alert from being sent: a silence, or the quiet hours of a
// calendar that end at one moment.
type cause struct {
	id   string // of the tally
	name string // for people: the silence's id, or the calendar
	why  string
	ends time.Time
}

// quietCause is the cause of an alert that was raised in quiet hours.
func quietCause(a *alert.Alert) *cause {
	until := a.QuietUntil.UTC()
	return &cause{
		id: "quiet:" + a.Quiet + "@" + until.Format(time.RFC3339), name: a.Quiet,
		why: fmt.Sprintf("quiet hours %s, until %s", a.Quiet, until.Format("2006-01-02 15:04 MST")), ends: a.QuietUntil,
	}
}

func silenceCause(s *silence.Silence) *cause {
	return &cause{id: s.ID, name: s.ID, why: fmt.Sprintf("silence %s of %s: %s", s.ID, s.By, s.Comment), ends: s.Ends}
}

// silenced returns what keeps the delivery from being sent; nil: nothing does.
func (t turn) silenced(now time.Time) *cause {
	o, a := t.o, t.d.envelope.Alert
	if a.Notice() || a.State == alert.Resolved {
		return nil
	}
	if a.Quiet != "" && a.Severity != alert.Critical {
		return quietCause(a)
	}
	for _, s := range o.silencing.active {
		if s.Active(now) && s.Silences(o.p.Name, a) {
			return silenceCause(s)
		}
	}
	return nil
}

// silence counts and logs that a delivery is silenced, and says by what.
func (t turn) silence(now time.Time) string {
	o, d := t.o, t.d
	c := t.silenced(now)
	key := silence.TallyKey{Cause: c.id, Partition: t.l.source.input.Partition}
	o.silencing.count(key, c, d.envelope.Alert, t.place(), now)
	d.silence = c.name
	d.saves = o.change(tallyState(key), false)
	o.metrics.suppressed(silenced)
	o.tell(slog.LevelDebug, "silenced, not sent", d, "silence", c.name)
	return c.why
}

// silenceReminder notes that a reminder is silenced, and says by what. It is no alert of its
// own, so no report counts it; the next one comes as if it had been sent.
func (t turn) silenceReminder(now time.Time) string {
	o, d := t.o, t.d
	c := t.silenced(now)
	a := d.envelope.Alert
	d.silence = c.name
	o.throttles.Skip(a, t.place(), now)
	d.saves = o.change(throttleState(throttle.KeyOf(a)), false)
	o.metrics.suppressed(silenced)
	o.tell(slog.LevelDebug, "reminder silenced, not sent", d, "silence", c.name)
	return c.why
}

// giveBackSilenced returns the members of a message to their lanes where one of its alerts
// is silenced by now: it waits, after a failed attempt that has reached nobody.
func (t turn) giveBackSilenced(now time.Time) {
	d := t.d
	if len(d.members) == 0 || len(t.o.silencing.active) == 0 || d.mayBeDuplicate || d.recipients != nil || len(d.refused) > 0 {
		return
	}
	for x := range d.all {
		if (turn{t.o, t.l, x}).silenced(now) != nil {
			t.o.lanes.dissolve(t.l)
			return
		}
	}
}

// learnSilenced takes in a silence, or what any process has counted.
func (o *Dispatcher) learnSilenced(r state.Record) {
	s := &o.silencing
	s.look = time.Time{}
	if r.Kind == state.Silence {
		s.learnSilence(r, o.now(), o.log)
		o.pump() // it may have ended
		return
	}
	if key, stale := s.learnTally(r, o.ownsPartition); stale {
		o.change(tallyState(key), false)
	}
	o.pump()
}

func (s *silencing) learnSilence(r state.Record, now time.Time, log *slog.Logger) {
	if s.silences == nil {
		s.silences = make(map[string]*silence.Silence)
	}
	delete(s.silences, r.Key)
	if r.Value != nil {
		if one, err := silence.Parse(r); err == nil {
			s.silences[r.Key] = one
		} else {
			log.Warn("skipped a silence that cannot be read", "err", err)
		}
	}
	s.active = slices.SortedFunc(maps.Values(s.silences), func(a, b *silence.Silence) int { return cmp.Compare(a.ID, b.ID) })
	s.active = slices.DeleteFunc(s.active, func(one *silence.Silence) bool { return !one.Active(now) })
}

// ownsPartition reports whether this process reads a partition of an outbox.
func (o *Dispatcher) ownsPartition(p int32) bool {
	return slices.ContainsFunc(o.lanes.sources, func(s *source) bool { return s.input.Partition == p })
}

// leave notes that a partition is read by another process from now on.
func (s *silencing) leave(from offsets.Input) {
	for key, t := range s.tallies {
		if key.Partition == from.Partition {
			t.former, t.own = t.sum(), silence.Tally{}
		}
	}
}
