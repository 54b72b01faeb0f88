package dispatch

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/state"
	"github.com/algotrade/notifier/internal/throttle"
)

// Outlook says what would become of an alert in a channel, as far as the state topic of the
// group tells: throttles, episodes and silences. It knows neither what waits in an outbox nor
// the groups of digests, which are in the memory of their owner.
type Outlook struct {
	now       time.Time
	keys      map[string]bool          // of the alerts, as the state topic writes them
	throttles map[string]*throttle.Set // by channel
	silencing silencing
}

// Forecast is what would become of an alert.
type Forecast struct {
	Decision deliverylog.Decision // empty: it would be sent; Unneeded: there is nothing to resolve
	Why      string
	Until    time.Time // zero: no end is known
}

// Unneeded is the decision on a resolved alert of which no firing was told. The delivery log
// has no record of it.
const Unneeded deliverylog.Decision = unneeded

// NewOutlook returns an outlook of alerts at a time, which has learned nothing.
func NewOutlook(now time.Time, alerts ...alert.Alert) *Outlook {
	o := &Outlook{now: now, keys: make(map[string]bool), throttles: make(map[string]*throttle.Set)}
	for i := range alerts {
		key := throttle.KeyOf(&alerts[i])
		o.keys[hex.EncodeToString(key[:])] = true
	}
	return o
}

// Learn takes in a record of the state topic, in the order of the log.
func (o *Outlook) Learn(r state.Record) {
	switch {
	case r.Kind == state.Silence:
		o.silencing.learnSilence(r, o.now, slog.New(slog.DiscardHandler))
	case r.Kind == state.Throttle && o.keys[r.Key]: // there may be 100,000 others
		t := o.throttles[r.Channel]
		if t == nil {
			t = throttle.NewForecast("outlook", false)
			o.throttles[r.Channel] = t
		}
		t.Learn(r, func(*throttle.Positions) bool { return false }, o.now)
	}
}

// Of returns what would become of an alert in one of its channels if nothing waited there.
func (o *Outlook) Of(a *alert.Alert, name string) Forecast {
	a = a.In(name)
	var known *throttle.Entry
	if t := o.throttles[name]; t != nil {
		known = t.Of(a)
	}
	switch {
	case a.State == alert.Resolved && (known == nil || known.Episode == nil):
		return Forecast{Decision: Unneeded, Why: "no alert of its key is open here"}
	case a.State == alert.Resolved:
		return Forecast{Why: "it ends what fires since " + clock(known.Episode.Since)}
	case hasExpired(a, o.now):
		return Forecast{Decision: deliverylog.Expired, Why: fmt.Sprintf("it expires after %s", channel.Duration(a.Expire))}
	case a.Quiet != "" && a.Severity != alert.Critical:
		c := quietCause(a)
		return Forecast{Decision: deliverylog.Silenced, Why: c.why, Until: c.ends}
	}
	for _, s := range o.silencing.active {
		if s.Active(o.now) && s.Silences(name, a) {
			c := silenceCause(s)
			return Forecast{Decision: deliverylog.Silenced, Why: c.why, Until: c.ends}
		}
	}
	if known == nil {
		return Forecast{}
	}
	again := *known // suppress counts
	alone := throttle.NewForecast("", false)
	alone.Put(&again, o.now)
	if !alone.Suppress(a, "", throttle.Place{}) {
		return Forecast{}
	}
	f := Forecast{Decision: deliverylog.Throttled, Why: known.Why(a)}
	if !known.Fires() {
		f.Until = known.RunsOut(a)
	}
	return f
}
