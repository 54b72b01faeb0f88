package dispatch

import (
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/silence"
	"github.com/algotrade/notifier/internal/throttle"
)

// TestOutlookTellsWhatPolicyDoes: of a channel that has told one alert, and of one that has not.
func TestOutlookTellsWhatPolicyDoes(t *testing.T) {
	now := time.Now().UTC()
	alertOf := func(change func(*alert.Alert)) alert.Alert {
		a := alert.Alert{Rule: "r", Severity: alert.Warning, Key: []string{"A7"}, EventTime: now, Throttle: time.Hour, Expire: time.Minute}
		if change != nil {
			change(&a)
		}
		return a
	}
	told := alertOf(func(a *alert.Alert) { a.EventTime = now.Add(-30 * time.Minute) })
	clears := alertOf(func(a *alert.Alert) { a.Key, a.Clears, a.Throttle = []string{"A8"}, true, 0 })
	match, _ := silence.ParseMatcher("key=A9")
	silenced, err := silence.New([]silence.Matcher{match}, now, now.Add(time.Hour), "ann", "CHG-112", false)
	if err != nil {
		t.Fatal(err)
	}
	known := throttle.NewForecast("daemon", false)
	known.Sent(&told, "dl_1", "", throttle.Place{Topic: "topic", Offset: 1}, now)
	known.Sent(&clears, "dl_2", "", throttle.Place{Topic: "topic", Offset: 2}, now)
	for name, x := range map[string]struct {
		channel, why string
		decision     deliverylog.Decision
		a            alert.Alert
	}{
		"throttled":       {"desk", "an alert of its key, of ", deliverylog.Throttled, alertOf(nil)},
		"another channel": {"mail", "", "", alertOf(nil)},
		"more severe":     {"desk", "", "", alertOf(func(a *alert.Alert) { a.Severity = alert.Critical })},
		"after the time":  {"desk", "", "", alertOf(func(a *alert.Alert) { a.EventTime = now.Add(31 * time.Minute) })},
		"another key":     {"desk", "", "", alertOf(func(a *alert.Alert) { a.Key = []string{"A6"} })},
		"expired":         {"desk", "it expires after", deliverylog.Expired, alertOf(func(a *alert.Alert) { a.EventTime = now.Add(-2 * time.Minute) })},
		"silenced":        {"mail", "silence sil_", deliverylog.Silenced, alertOf(func(a *alert.Alert) { a.Key = []string{"A9"} })},
		"critical":        {"mail", "", "", alertOf(func(a *alert.Alert) { a.Key, a.Severity = []string{"A9"}, alert.Critical })},
		"quiet": {"mail", "quiet hours overnight", deliverylog.Silenced, alertOf(func(a *alert.Alert) {
			a.QuietIn = []alert.Quiet{{Channel: "mail", Calendar: "overnight", Until: now.Add(time.Hour)}}
		})},
		"quiet elsewhere": {"mail", "", "", alertOf(func(a *alert.Alert) { a.QuietIn = []alert.Quiet{{Channel: "desk", Calendar: "overnight"}} })},
		"firing":          {"desk", "its key has been firing since ", deliverylog.Throttled, clears},
		"ends":            {"desk", "it ends what fires since ", "", alertOf(func(a *alert.Alert) { *a = clears; a.State = alert.Resolved })},
		"nothing to end":  {"mail", "no alert of its key is open", Unneeded, alertOf(func(a *alert.Alert) { *a = clears; a.State = alert.Resolved })},
	} {
		o := NewOutlook(now, x.a)
		for _, a := range []*alert.Alert{&told, &clears} {
			o.Learn(known.Record(throttle.KeyOf(a), "desk"))
		}
		o.Learn(silenced.Record())
		for range 2 { // asking changes nothing
			if f := o.Of(&x.a, x.channel); f.Decision != x.decision || !strings.HasPrefix(f.Why, x.why) || (x.why == "") != (f.Why == "") {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
}
