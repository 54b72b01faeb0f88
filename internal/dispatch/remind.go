package dispatch

import (
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/offsets"
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
	s := t.o.throttles.of(a)
	if s == nil || s.episode == nil {
		return
	}
	kept, e, source := *a, *s.episode, &t.d.envelope.Source
	if b, err := a.JSON(); err != nil || len(b) > maxKept {
		kept.Text, kept.Fields, kept.Shortened = nil, nil, true
	}
	e.Alert, e.Topic, e.Partition, e.Offset = &kept, source.TopicID, source.Partition, source.Offset
	s.episode = &e
	if r := &t.o.reminders; a.Remind > 0 {
		r.next = earlier(r.next, t.o.now().Add(a.Remind))
	}
}

// reminds reports whether a reminder is the next one of an open episode.
func (t *throttles) reminds(a *alert.Alert) bool {
	s := t.of(a)
	return s != nil && s.fires() && a.ID == alert.NewReminderID(s.episode.ID, s.episode.Reminders+1)
}

// reminded notes that a reminder has its outcome.
func (t *throttles) reminded(a *alert.Alert, delivery string, at place, now time.Time) {
	former := t.of(a)
	if former == nil || former.episode == nil {
		return
	}
	s, e := *former, *former.episode
	e.Reminders, e.Last = a.Reminder, now.UTC()
	s.delivery, s.episode, s.count, s.since, s.traces = delivery, &e, 0, time.Time{}, nil
	s.through.pass(at)
	t.put(&s, now)
}

// skip notes that a reminder is not sent. What it had to tell the next message does.
func (t *throttles) skip(a *alert.Alert, at place, now time.Time) {
	s, e := *t.of(a), *t.of(a).episode
	e.Reminders, e.Last = a.Reminder, now.UTC()
	s.episode = &e
	s.through.pass(at)
	t.put(&s, now)
}

// due returns when the next record of an episode is to be put into the outbox, and what
// it says; zero: never.
func (r *reminders) due(s *throttled) (at time.Time, state alert.State) {
	e := s.episode
	switch {
	case !e.Told || e.Alert == nil:
		return time.Time{}, ""
	case r.rules != nil && !r.rules.Clears(e.Alert.Rule):
		return latest(r.since.Add(goneAfter), e.put.Add(goneAfter)), alert.Resolved
	case e.Alert.Remind <= 0:
		return time.Time{}, ""
	}
	return latest(e.Last, e.put).Add(e.Alert.Remind), alert.Firing
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
	var episodes []*episode
	var list []*envelope.Envelope
	for l := o.throttles.firing.Front(); l != nil; l = l.Next() {
		s := l.Value.(*throttled)
		at, state := r.due(s)
		from := o.sourceOf(&s.through)
		switch {
		case at.IsZero() || from == nil || from.unknown:
		case at.After(now):
			r.next = earlier(r.next, at)
		case len(list) == maxReminders:
			r.next = now
		default:
			e := *s.episode
			e.put = now
			s.episode = &e
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
			if s := o.throttles.of(list[i].Alert); s != nil && s.episode == episodes[i] {
				e := *s.episode
				e.put = time.Time{}
				s.episode = &e
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
func (o *Dispatcher) reminder(s *throttled, from *source, state alert.State, now time.Time) *envelope.Envelope {
	e := s.episode
	a := *e.Alert
	a.Severity, a.State, a.EventTime, a.Expire = s.severity, state, now.UTC(), 0
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
func (o *Dispatcher) sourceOf(p *positions) *source {
	for _, s := range o.lanes.sources {
		if s.input.Topic != p.topic {
			continue
		}
		for _, last := range p.last {
			if last.partition == s.input.Partition {
				return s
			}
		}
	}
	return nil
}
