package dispatch

import (
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/throttle"
)

// While an episode is open, its owner puts a reminder into its own outbox at each remind
// after the last message: an alert as any other, with an id made of the episode and its
// number, so that of those that several owners put one is sent. An episode whose rule is
// gone is ended in the same way.

const (
	// maxReminders is how many records are put into the outbox at once.
	maxReminders = 100
	// remindAgain is after how long what could not be put is tried again.
	remindAgain = 10 * time.Second
	// goneAfter is for how long a rule is gone before its episodes are ended: other
	// instances may have a newer file already.
	goneAfter = 15 * time.Minute
	// maxKept is how many bytes an alert takes that a reminder may repeat.
	maxKept = 4 << 10
)

// reminders is what is known of when to remind.
type reminders struct {
	next    time.Time // when to look at the episodes; zero: a message will tell
	putting bool
	rules   Rules     // nil: all rules clear
	since   time.Time // when rules was set
}

// Rules say what becomes of open episodes.
type Rules interface {
	// Clears reports whether there is such a rule, with clear.
	Clears(rule string) bool
	// Quiet returns the calendar whose quiet hours keep a channel at a moment from being
	// told of a rule's alerts of a severity, and when they end; empty: none do.
	Quiet(rule, channel string, severity alert.Severity, at time.Time) (calendar string, until time.Time)
}

// UseRules says which rules are in force. The episodes of those that do not clear are ended
// after goneAfter.
func (o *Dispatcher) UseRules(rules Rules) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := &o.reminders
	now := o.now()
	r.rules, r.since, r.next = rules, now, now
	o.pump()
}

// keepAlert keeps the delivery's alert as the last one of its episode.
func (t turn) keepAlert() {
	a := t.d.envelope.Alert
	if !a.Clears {
		return
	}
	s := t.o.throttles.Of(a)
	if s == nil || s.Episode == nil {
		return
	}
	kept, e, source := *a, *s.Episode, &t.d.envelope.Source
	if b, err := a.JSON(); err != nil || len(b) > maxKept {
		kept.Text, kept.Fields, kept.Shortened = nil, nil, true
	}
	e.Alert, e.Topic, e.Partition, e.Offset = &kept, source.TopicID, source.Partition, source.Offset
	s.Episode = &e
	if r := &t.o.reminders; a.Remind > 0 {
		r.next = earlier(r.next, t.o.now().Add(a.Remind))
	}
}

// due returns when the next record of an episode is to be put into the outbox, and what
// it says; zero: never.
func (r *reminders) due(s *throttle.Entry) (at time.Time, state alert.State) {
	e := s.Episode
	switch {
	case !e.Told || e.Alert == nil:
		return time.Time{}, ""
	case r.rules != nil && !r.rules.Clears(e.Alert.Rule):
		return latest(r.since.Add(goneAfter), e.Put.Add(goneAfter)), alert.Resolved
	case e.Alert.Remind <= 0:
		return time.Time{}, ""
	}
	return latest(e.Last, e.Put).Add(e.Alert.Remind), alert.Firing
}

// remind puts the records that are due into the outbox, and returns when to look again.
func (o *Dispatcher) remind(now time.Time) (again time.Time) {
	r := &o.reminders
	if o.p.Outboxes == nil || r.putting || r.next.IsZero() {
		return time.Time{}
	}
	if r.next.After(now) {
		return r.next
	}
	r.next = time.Time{}
	if o.gone() {
		return time.Time{}
	}
	var episodes []*throttle.Episode
	var list []*envelope.Envelope
	for s := range o.throttles.Open {
		at, state := r.due(s)
		from := o.sourceOf(&s.Through)
		switch {
		case at.IsZero() || from == nil || from.unknown:
		case at.After(now):
			r.next = earlier(r.next, at)
		case len(list) == maxReminders:
			r.next = now
		default:
			e := *s.Episode
			e.Put = now
			s.Episode = &e
			episodes, list = append(episodes, &e), append(list, o.reminder(s, from, state, now))
		}
	}
	if len(list) == 0 {
		return r.next
	}
	r.putting = true
	o.p.Driver.Go(Work{Do: func() {
		errs := o.p.Outboxes.Put(o.ctx, list, func(string) {})
		o.mu.Lock()
		defer o.mu.Unlock()
		r.putting = false
		for i, err := range errs {
			if err == nil {
				r.next = earlier(r.next, now.Add(episodes[i].Alert.Remind))
				continue
			}
			if s := o.throttles.Of(list[i].Alert); s != nil && s.Episode == episodes[i] {
				e := *s.Episode
				e.Put = time.Time{}
				s.Episode = &e
			}
			r.next = earlier(r.next, o.now().Add(remindAgain))
		}
		o.pump()
	}})
	return time.Time{}
}

// gone reports whether the channel is no longer configured, and only what waits for it is
// known: nothing more is written to its outbox.
func (o *Dispatcher) gone() bool { return o.p.Outboxes != nil && !o.p.Outboxes.Has(o.p.Name) }

// reminder returns the next record of an episode.
func (o *Dispatcher) reminder(s *throttle.Entry, from *source, state alert.State, now time.Time) *envelope.Envelope {
	e := s.Episode
	a := *e.Alert
	a.Severity, a.State, a.EventTime, a.Expire = s.Severity, state, now.UTC(), 0
	if state == alert.Resolved {
		a.ID = alert.NewReminderID(e.ID, 0)
		a.Text, a.Fields = alert.Text{{Text: "Its rule no longer exists, or no longer clears."}}, nil
	} else {
		a.Reminder, a.Since = e.Reminders+1, e.Since
		a.ID = alert.NewReminderID(e.ID, a.Reminder)
		if rules := o.reminders.rules; rules != nil {
			a.Quiet, a.QuietUntil = rules.Quiet(a.Rule, o.p.Name, a.Severity, now)
		}
	}
	env := &envelope.Envelope{
		Source: envelope.Source{Topic: a.Topic, TopicID: e.Topic, Partition: e.Partition, Offset: e.Offset, Time: now},
		Alert:  &a, Channel: o.p.Name, Delivery: alert.NewDelivery(a.ID, o.p.Name),
	}
	done := from.done()
	env.From = offsets.Origin{Input: from.input, From: done, Done: done, Delivery: env.Delivery}
	return env
}

// sourceOf returns the partition of this process that holds what is known of last; nil:
// none does.
func (o *Dispatcher) sourceOf(p *throttle.Positions) *source {
	for _, s := range o.lanes.sources {
		if p.Holds(s.input.Topic, s.input.Partition) {
			return s
		}
	}
	return nil
}
