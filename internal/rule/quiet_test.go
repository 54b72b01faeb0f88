package rule_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/rule"
)

const quietHours = `version: 1
timezone: America/New_York
calendars:
  overnight: {times: ["17:00-06:30"], days: [mon-fri]}
  weekend: {days: [sat, sun]}
routes:
  desk: {critical: [pager, slack], warning: [slack], info: [slack], quiet: {during: overnight, severity: [info, warning], do: reroute, to: [mail]}}
  risk: {critical: [hook], warning: [hook, slack], quiet: {during: overnight, severity: [warning], do: drop}}
  ops: {critical: [pager], warning: [hook], info: [hook], quiet: {during: weekend, severity: [critical], do: reroute, to: [slack]}}
rules:
  - {name: desk, when: event.rule == "desk", severity: 'event.hot ? "critical" : "warning"', to: [desk], title: t}
  - {name: risk, when: event.rule == "risk", severity: 'event.hot ? "critical" : "warning"', to: [risk], title: t}
  - {name: both, when: event.rule == "both", to: [risk, desk], title: t}
  - {name: direct, when: event.rule == "direct", to: [risk, hook], title: t}
  - {name: ops, when: event.rule == "ops", severity: 'event.hot ? "critical" : "warning"', to: [ops], title: t}
`

var channels = rule.Environment{Channels: []string{"pager", "slack", "mail", "hook"}}

// TestQuietHoursDecideByEventTime, in the zone of the file.
func TestQuietHoursDecideByEventTime(t *testing.T) {
	set, faults := rule.Compile("r.yaml", []byte(quietHours), channels)
	if len(faults.Errors()) > 0 {
		t.Fatal(faults)
	}
	const (
		day     = "2026-11-17T12:00:00-05:00"
		night   = "2026-11-18T06:29:59-05:00"
		morning = "2026-11-18T06:30:00-05:00"
		sunday  = "2026-11-22T12:00:00-05:00"
		until   = "2026-11-18 11:30 UTC"
	)
	for _, c := range []struct {
		rule, at string
		hot      bool
		want     string
	}{
		{"desk", day, false, "slack"},
		{"desk", night, false, "mail"},
		{"desk", morning, false, "slack"},
		{"desk", sunday, false, "slack"},
		{"desk", night, true, "pager slack"},
		{"risk", day, false, "hook slack"},
		{"risk", night, false, "hook(overnight " + until + ") slack(overnight " + until + ")"},
		{"risk", night, true, "hook"},
		{"both", night, false, "mail hook(overnight " + until + ") slack(overnight " + until + ")"},
		{"both", day, false, "hook slack"},
		{"direct", night, false, "hook slack(overnight " + until + ")"}, // told by the other way
		{"ops", sunday, true, "slack"},
		{"ops", sunday, false, "hook"},
	} {
		e, err := event.NewDecoder(nil, nil, nil).Decode(record(fmt.Sprintf(`{"rule":%q,"hot":%t,"occurred_at":%q}`, c.rule, c.hot, c.at)))
		if err != nil {
			t.Fatal(err)
		}
		alerts := match(t, set, &e, arrived)
		if len(alerts) != 1 {
			t.Fatalf("%s raises %d alerts", c.rule, len(alerts))
		}
		var got []string
		for _, channel := range alerts[0].Channels {
			text := channel
			if a := alerts[0].In(channel); a.Quiet != "" {
				text += "(" + a.Quiet + " " + a.QuietUntil.UTC().Format("2006-01-02 15:04 MST") + ")"
			}
			got = append(got, text)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s at %s, critical %v: %s, want %s", c.rule, c.at, c.hot, strings.Join(got, " "), c.want)
		}
	}
	for _, r := range set.Rules() {
		if want := map[string]string{"desk": "[slack mail pager]", "risk": "[hook slack]", "ops": "[hook pager slack]"}[r.Name]; want != "" && fmt.Sprint(r.Channels) != want {
			t.Errorf("%s can lead to %s, want %s", r.Name, r.Channels, want)
		}
	}
}

func TestFaultsOfQuietHoursAreFound(t *testing.T) {
	const good = `quiet: {during: overnight, severity: [info, warning], do: reroute, to: [mail]}`
	for change, want := range map[string]string{
		`quiet: {during: overnigt, severity: [info], do: drop}`:                 `unknown calendar "overnigt": did you mean overnight?`,
		`quiet: {during: lunch, severity: [info], do: drop}`:                    `unknown calendar "lunch": define it under calendars`,
		`quiet: {severity: [info], do: drop}`:                                   `routes.desk.quiet.during: is missing`,
		`quiet: {during: overnight, do: drop}`:                                  `routes.desk.quiet.severity: is missing`,
		`quiet: {during: overnight, severity: [], do: drop}`:                    `routes.desk.quiet.severity: is empty`,
		`quiet: {during: overnight, severity: [info]}`:                          `routes.desk.quiet.do: is missing`,
		`quiet: {during: overnight, severity: [info], do: hold}`:                `"hold" is not known: write reroute or drop`,
		`quiet: {during: overnight, severity: [info], do: reroute}`:             `routes.desk.quiet.to: is missing: name the channels that get the alerts instead`,
		`quiet: {during: overnight, severity: [info], do: drop, to: [mail]}`:    `routes.desk.quiet.to: has no effect`,
		`quiet: {during: overnight, severity: [info], do: reroute, to: [mial]}`: `unknown channel or route "mial": did you mean mail?`,
		`quiet: {during: overnight, severity: [info], do: reroute, to: [risk]}`: `risk is a route: name channels here`,
		`quiet: {during: overnight, severity: [critical], do: drop}`:            `critical alerts cannot be dropped`,
		`quiet: {during: overnight, severity: [warn], do: drop}`:                `"warn" is not a severity: did you mean warning?`,
		`quiet: {during: overnight, severity: [info], do: drop, until: 06:00}`:  `unknown key`,
		`quiet: overnight`: `expected`,
		`qiet: {during: overnight, severity: [info], do: drop}`: `unknown key: did you mean "quiet"?`,
	} {
		if !strings.Contains(quietHours, good) {
			t.Fatal("the file has changed")
		}
		_, faults := rule.Compile("r.yaml", []byte(strings.Replace(quietHours, good, change, 1)), channels)
		if len(faults.Errors()) == 0 || !strings.Contains(faults.Errors().Error(), want) || !strings.Contains(faults.Errors().Error(), "r.yaml:7:") {
			t.Errorf("%s: %v, want %s", change, faults, want)
		}
	}
	for change, want := range map[string]string{
		`risk: {critical: [hook], warning: [hook, slack], quiet: {during: overnight, severity: [info], do: drop}}`: "route risk has no channel for info: leave it out here",
	} {
		_, faults := rule.Compile("r.yaml", []byte(strings.Replace(quietHours, `risk: {critical: [hook], warning: [hook, slack], quiet: {during: overnight, severity: [warning], do: drop}}`, change, 1)), channels)
		if !strings.Contains(faults.Error(), want) {
			t.Errorf("%s: %v, want %s", change, faults, want)
		}
	}
	_, faults := rule.Compile("r.yaml", []byte(strings.Replace(quietHours, "  weekend:", "  Lunch: {times: [\"12:00-13:00\"]}\n  weekend:", 1)), channels)
	if !strings.Contains(faults.Error(), `"Lunch" is not a valid name`) {
		t.Error(faults)
	}
	_, faults = rule.Compile("r.yaml", []byte(strings.Replace(quietHours, "  weekend:", "  lunch: {times: [\"12:00-13:00\"]}\n  weekend:", 1)), channels)
	if len(faults.Errors()) > 0 || !strings.Contains(faults.Error(), "r.yaml:5:10: warning: calendars.lunch: no route uses this calendar") {
		t.Error(faults)
	}
}

// TestQuietHoursOfAChannel that was told before: what goes elsewhere meanwhile is quiet too.
func TestQuietHoursOfAChannel(t *testing.T) {
	set, faults := rule.Compile("r.yaml", []byte(quietHours), channels)
	if len(faults.Errors()) > 0 {
		t.Fatal(faults)
	}
	night := time.Date(2026, 11, 18, 8, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		rule, channel string
		severity      alert.Severity
		at            time.Time
		want          string
	}{
		{"desk", "slack", alert.Warning, night, "overnight 11:30"},
		{"desk", "slack", alert.Warning, night.Add(8 * time.Hour), " 00:00"},
		{"desk", "slack", alert.Critical, night, " 00:00"},
		{"desk", "mail", alert.Warning, night, " 00:00"},
		{"risk", "hook", alert.Warning, night, "overnight 11:30"},
		{"direct", "hook", alert.Warning, night, " 00:00"}, // told by the other way
		{"direct", "slack", alert.Warning, night, "overnight 11:30"},
		{"gone", "slack", alert.Warning, night, " 00:00"},
	} {
		calendar, until := set.Quiet(c.rule, c.channel, c.severity, c.at)
		if got := calendar + " " + until.UTC().Format("15:04"); got != c.want {
			t.Errorf("%s of %s in %s: %q, want %q", c.severity, c.rule, c.channel, got, c.want)
		}
	}
}
