package throttle

import (
	"time"

	"github.com/algotrade/notifier/internal/alert"
)

// Episode is what is known of an open episode, and its JSON form in the state topic.
type Episode struct {
	ID    string    `json:"id"`    // of the alert that began it
	Since time.Time `json:"since"` // the time of that alert's event
	Told  bool      `json:"told"`  // this channel has a message of it
	Last  time.Time `json:"last"`  // when one was sent last, by the clock of the sender

	Reminders int          `json:"reminders,omitempty"` // that were sent
	Alert     *alert.Alert `json:"alert,omitempty"`     // the last one, which a reminder repeats
	Topic     string       `json:"topic_id,omitempty"`  // its event's
	Partition int32        `json:"partition,omitempty"`
	Offset    int64        `json:"offset,omitempty"`
	Put       time.Time    `json:"-"` // when a record of it was put into the outbox last
}

// Fires reports whether an episode is open that the channel was told of.
func (s *Entry) Fires() bool { return s.Episode != nil && s.Episode.Told }

// begin returns the episode, or a new one that begins with an alert.
func (e *Episode) begin(a *alert.Alert, now time.Time) *Episode {
	if e == nil {
		return &Episode{ID: a.ID, Since: a.EventTime.UTC(), Last: now.UTC()}
	}
	next := *e
	return &next
}

// tell returns the episode after an alert of it was sent.
func (e *Episode) tell(a *alert.Alert, now time.Time) *Episode {
	next := e.begin(a, now)
	next.Told, next.Last = true, now.UTC()
	return next
}

// Pass notes an alert that is not sent since it was resolved meanwhile. The resolved
// alert will be.
func (t *Set) Pass(a *alert.Alert, at Place, now time.Time) {
	s := &Entry{Key: KeyOf(a), Severity: a.Severity, throttle: a.Throttle}
	if former := t.Of(a); former != nil {
		*s = *former
	}
	s.Episode = s.Episode.begin(a, now)
	s.counts(a)
	s.Through.pass(at)
	t.Put(s, now)
}

// keepEnded is for how long at least it is remembered that an episode has ended.
const keepEnded = 10 * time.Minute

// Ended ends the episode of a resolved alert whose delivery has its outcome.
func (t *Set) Ended(a *alert.Alert, delivery string, at Place, now time.Time) {
	former := t.Of(a)
	if former == nil || former.Episode == nil {
		return
	}
	s := *former
	s.Delivery, s.Episode, s.Opened, s.count, s.since, s.traces = delivery, nil, "", 0, time.Time{}, nil
	if until := now.Add(keepEnded); until.After(s.until) {
		s.until = until
	}
	s.Through.pass(at)
	t.Put(&s, now)
}

// Over notes that whatever episode a former owner has opened is over.
func (t *Set) Over(a *alert.Alert, delivery string, at Place, now time.Time) {
	s := &Entry{Key: KeyOf(a), Severity: a.Severity, throttle: a.Throttle, Delivery: delivery}
	switch former := t.Of(a); {
	case former == nil:
	case former.Episode != nil: // it has become known
		t.Ended(a, delivery, at, now)
		return
	default:
		*s = *former
	}
	if until := now.Add(keepEnded); until.After(s.until) {
		s.until = until
	}
	s.Through.pass(at)
	t.Put(s, now)
}

// Ends reports whether a resolved alert ends something that the channel has to be told
// the end of.
func (t *Set) Ends(a *alert.Alert, at Place) bool {
	s := t.Of(a)
	return !a.Since.IsZero() || s != nil && s.Episode != nil && !s.Through.Covers(at)
}

// Reminds reports whether a reminder is the next one of an open episode.
func (t *Set) Reminds(a *alert.Alert) bool {
	s := t.Of(a)
	return s != nil && s.Fires() && a.ID == alert.NewReminderID(s.Episode.ID, s.Episode.Reminders+1)
}

// Reminded notes that a reminder has its outcome.
func (t *Set) Reminded(a *alert.Alert, delivery string, at Place, now time.Time) {
	former := t.Of(a)
	if former == nil || former.Episode == nil {
		return
	}
	s, e := *former, *former.Episode
	e.Reminders, e.Last = a.Reminder, now.UTC()
	s.Delivery, s.Episode, s.count, s.since, s.traces = delivery, &e, 0, time.Time{}, nil
	s.Through.pass(at)
	t.Put(&s, now)
}

// Skip notes that a reminder is not sent. What it had to tell the next message does.
func (t *Set) Skip(a *alert.Alert, at Place, now time.Time) {
	s, e := *t.Of(a), *t.Of(a).Episode
	e.Reminders, e.Last = a.Reminder, now.UTC()
	s.Episode = &e
	s.Through.pass(at)
	t.Put(&s, now)
}
