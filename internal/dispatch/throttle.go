package dispatch

import (
	"log/slog"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/envelope"
)

// throttles remembers, per rule and alert key, what was sent last. It lives in
// memory: after a restart the first alert of each key is sent again.
type throttles struct {
	byKey   map[string]*throttled
	sweepAt int // how many there are when those that have run out are forgotten
}

type throttled struct {
	until    time.Time
	severity alert.Severity
	count    int // suppressed since the last message
	since    time.Time
	traces   []string // of the suppressed, the first maxLinks
}

// firstSweep is how many throttles there may be before any is forgotten. Each
// sweep doubles it over what is left, so that sweeping costs little per alert.
const firstSweep = 10_000

func throttleKey(a *alert.Alert) string {
	return a.Rule + "\x00" + strings.Join(a.Key, "\x00")
}

// suppress reports whether the alert is to be counted instead of sent: one of
// its key was sent less than its throttle ago, and it is not more severe.
func (t *throttles) suppress(a *alert.Alert, now time.Time) bool {
	s := t.byKey[throttleKey(a)]
	if a.Throttle <= 0 || s == nil || !now.Before(s.until) || a.Severity.Rank() > s.severity.Rank() {
		return false
	}
	if s.count == 0 {
		s.since = now
	}
	s.count++
	return true
}

// suppressed returns what the next message of this alert's key has to tell.
func (t *throttles) suppressed(a *alert.Alert) (int, time.Time) {
	if s := t.byKey[throttleKey(a)]; s != nil && a.Throttle > 0 {
		return s.count, s.since
	}
	return 0, time.Time{}
}

// maxLinks is how many suppressed alerts the next message's span links.
const maxLinks = 32

// link remembers the trace of an alert that was suppressed.
func (t *throttles) link(a *alert.Alert, trace string) {
	if s := t.byKey[throttleKey(a)]; s != nil && trace != "" && len(s.traces) < maxLinks {
		s.traces = append(s.traces, trace)
	}
}

// traces returns those that the next message of this alert's key speaks for
// as well.
func (t *throttles) traces(e *envelope.Envelope) []string {
	if e.Replay != nil || e.Alert.Throttle <= 0 {
		return nil
	}
	if s := t.byKey[throttleKey(e.Alert)]; s != nil {
		return s.traces
	}
	return nil
}

// sent opens the throttle anew.
func (t *throttles) sent(a *alert.Alert, now time.Time) {
	if a.Throttle <= 0 {
		return
	}
	if t.byKey == nil {
		t.byKey, t.sweepAt = make(map[string]*throttled), firstSweep
	}
	if len(t.byKey) >= t.sweepAt {
		for k, s := range t.byKey {
			if !now.Before(s.until) {
				delete(t.byKey, k)
			}
		}
		t.sweepAt = max(firstSweep, 2*len(t.byKey))
	}
	t.byKey[throttleKey(a)] = &throttled{until: now.Add(a.Throttle), severity: a.Severity}
}

// suppress settles a delivery that policy keeps from being sent, and reports
// whether it did. o.mu is held.
func (o *Outbox) suppress(l *lane, d *delivery, now time.Time) bool {
	a := d.envelope.Alert
	if d.envelope.Replay != nil {
		return false // somebody asked for it
	}
	if d.recipients != nil || len(d.refused) > 0 {
		return false // some have it: it goes on
	}
	tried := d.attempts > 0 || !d.firstTried.IsZero() // then it has its turn in the throttle
	how := expired
	switch {
	case a.Expire > 0 && now.Sub(a.EventTime) > a.Expire:
		o.metrics.suppressed(expired)
		o.tell(slog.LevelInfo, "expired, not sent", d, "age", now.Sub(a.EventTime).Round(time.Second))
	case !tried && o.throttles.suppress(a, now):
		how = throttledAway
		o.metrics.suppressed(throttledAway)
		o.tell(slog.LevelDebug, "throttled, not sent", d)
	default:
		return false
	}
	if o.tracer != nil {
		o.begin(l, d, nil)
		if how == throttledAway {
			o.throttles.link(a, d.envelope.Trace)
		}
	}
	o.done(l, d, how)
	return true
}
