package dispatch

import (
	"iter"
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/throttle"
)

// The alerts of a rule with clear are told by episode of the rule and alert key. An
// episode opens with the first alert that is sent. While it is open the next ones are
// counted, as throttled ones are, unless they are more severe. A resolved alert is sent if
// an episode is open, and ends it. What is known of an episode stands in the throttle of
// its key, and so survives this process; an alert that comes to its resolved one before it
// could be sent opens an episode that was not told, so that one message tells both.

// noteInDoubt notes that somebody may have a firing that is not sent any longer: its end is
// owed then. What fires until then is sent.
func (t turn) noteInDoubt(now time.Time) {
	if a := t.d.envelope.Alert; a.Clears && a.State == alert.Firing && a.Reminder == 0 && t.d.mayBeDuplicate && t.d.envelope.Replay == nil {
		t.o.throttles.Pass(a, t.place(), now)
		t.d.saves = t.o.change(throttleState(throttle.KeyOf(a)), false)
	}
}

// unneeded reports whether the delivery is a resolved alert of which no firing was told,
// or a reminder of what has ended.
func (t turn) unneeded(now time.Time) bool {
	a := t.d.envelope.Alert
	switch {
	case a.Notice(), a.State != alert.Resolved && a.Reminder == 0:
		return false
	case a.Reminder > 0:
		return !t.o.throttles.Reminds(a) || t.resolvedBehind()
	case t.resolvesAgain():
		s := t.o.throttles.Of(a)
		return s == nil || s.Episode == nil || a.EventTime.Before(s.Episode.Since)
	case t.d.envelope.MayBeDuplicate: // its topic is evaluated again
		if s := t.o.throttles.Of(a); s != nil && s.Episode != nil && a.EventTime.Before(s.Episode.Since) {
			return true
		}
	}
	if t.unsure() {
		return t.dropUnsure(now)
	}
	return !t.o.throttles.Ends(a, t.place())
}

// ending returns when the episode began that the delivery ends: what another channel has
// to know that sends it instead. Zero: it ends none.
func (t turn) ending() time.Time {
	a := t.d.envelope.Alert
	if s := t.o.throttles.Of(a); a.State == alert.Resolved && t.d.envelope.Replay == nil && s != nil && s.Episode != nil && !s.Through.Covers(t.place()) {
		return s.Episode.Since
	}
	return time.Time{}
}

// resolvesAgain reports whether the delivery is a resolved alert of a record that had
// failed before its rules ran. It may end an episode, if none has begun since.
func (t turn) resolvesAgain() bool {
	e := t.d.envelope
	return e.Replay != nil && e.Alert.State == alert.Resolved && !e.Resolves() && !e.Resent()
}

// sameKey reports whether two deliveries are of one rule with clear, and one alert key.
func (d *delivery) sameKey(other *delivery) bool {
	a, b := d.envelope.Alert, other.envelope.Alert
	return a.Clears && b.Clears && a.Rule == b.Rule && slices.Equal(a.Key, b.Key)
}

// resolvedBehind reports whether the delivery's lane holds a resolved alert for it.
func (t turn) resolvedBehind() bool {
	for _, d := range t.l.queue[slices.Index(t.l.queue, t.d)+1:] {
		if d.envelope.Alert.State == alert.Resolved && d.sameKey(t.d) {
			return true
		}
	}
	return false
}

// opposesOne reports whether one of the deliveries begins what this one ends, or ends what
// it begins: that has to have its outcome first.
func (d *delivery) opposesOne(before iter.Seq[*delivery]) bool {
	if !d.envelope.Alert.Clears {
		return false
	}
	for other := range before {
		if other.envelope.Alert.State != d.envelope.Alert.State && d.sameKey(other) {
			return true
		}
	}
	return false
}

// resolvesSame reports whether one of the deliveries ends the episode that this one ends.
func (d *delivery) resolvesSame(before iter.Seq[*delivery]) bool {
	if d.envelope.Alert.State != alert.Resolved {
		return false
	}
	for other := range before {
		if other.envelope.Alert.State == alert.Resolved && d.sameKey(other) {
			return true
		}
	}
	return false
}

// noteTold notes that somebody has the delivery.
func (t turn) noteTold(receipt string, now time.Time) {
	a, ts := t.d.envelope.Alert, &t.o.throttles
	switch {
	case a.Throttle <= 0 && !a.Clears:
		return
	case t.d.unsure:
		ts.Over(a, t.d.envelope.Delivery, t.place(), now)
	case a.State == alert.Resolved:
		ts.Ended(a, t.d.envelope.Delivery, t.place(), now)
	case a.Reminder > 0:
		ts.Reminded(a, t.d.envelope.Delivery, t.place(), now)
	default:
		ts.Sent(a, t.d.envelope.Delivery, receipt, t.place(), now)
		t.keepAlert()
	}
	t.d.saves = t.o.change(throttleState(throttle.KeyOf(a)), true)
}

// noteGivenUp notes that the delivery and its members become dead letters. A resolved
// alert ends its episode nevertheless: the next one is another.
func (t turn) noteGivenUp(now time.Time) {
	for d := range t.d.all {
		a := d.envelope.Alert
		if !a.Clears || d.envelope.Replay != nil || !d.sent.IsZero() {
			continue
		}
		if a.State == alert.Resolved || a.Reminder > 0 || d.mayBeDuplicate { // somebody may have it
			turn{t.o, t.l, d}.noteTold("", now)
			t.d.saves = max(t.d.saves, d.saves)
		}
	}
}

// story is what a message tells of its episode.
type story struct {
	since    time.Time
	opened   string
	severity alert.Severity
	raised   bool
}

// tellEpisode has the message of a single alert tell of its thread and episode.
func (t turn) tellEpisode(m *channel.Message) {
	d := t.d
	if m.Digest != nil || d.envelope.Replay != nil && !t.resolvesAgain() {
		return
	}
	if s := t.o.throttles.Of(&m.Alert); d.sent.IsZero() { // else it is told to its other recipients
		d.story = story{since: m.Alert.Since}
		if s != nil && s.Delivery != d.envelope.Delivery && s.Threads(&m.Alert) {
			d.story.opened, d.story.raised = s.Opened, s.Opened != "" && m.Alert.Severity.Rank() > s.Severity.Rank()
		}
		if m.Alert.State == alert.Resolved && s != nil && s.Episode != nil {
			d.story.since, d.story.severity = s.Episode.Since, s.Severity
		}
	}
	m.Reminder = m.Alert.Reminder > 0
	m.Since, m.Opened, m.Raised = d.story.since, d.story.opened, d.story.raised
	if d.story.severity != "" {
		m.Alert.Severity = d.story.severity
	}
}
