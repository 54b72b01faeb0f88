package rulesfile

import (
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/yamldoc"
)

func TestDocumentHasRoutesRulesAndQuietHours(t *testing.T) {
	const file = `version: 1
vars: {limit: 12345678901234567890}
routes:
  desk: {warning: [slack], critical: [slack, page], quiet: {during: nights, severity: [warning], do: reroute, to: [mail]}}
rules:
  - {name: r, topic: trade-executions, when: event.n > 1, title: t, to: [desk], fields: [event.n, {size: event.size}]}
`
	var d Document
	if faults := yamldoc.Decode("rules.yaml", "", []byte(file), &d); len(faults) > 0 {
		t.Fatal(faults)
	}
	desk := d.Routes["desk"]
	if got := desk.Severities[alert.Critical]; len(got) != 2 || got[1].Name != "page" || got[1].At.Pos().Line != 4 {
		t.Errorf("critical goes to %+v", got)
	}
	if q := desk.Quiet; !q.Covers(alert.Warning) || q.Covers(alert.Critical) || strings.Join(q.Channels(), " ") != "mail" {
		t.Errorf("quiet hours %+v", q)
	}
	if got := d.Vars.Value.Get("limit").Text(); got != "12345678901234567890" {
		t.Errorf("limit is %s", got)
	}
	if f := d.Rules[0].Fields; len(f) != 2 || f[0].Label != "" || f[1].Label != "size" || f[1].Value.Value != "event.size" {
		t.Errorf("fields %+v", f)
	}
}

func TestFaultsOfSingleKeysAreFound(t *testing.T) {
	for rule, want := range map[string]string{
		`{when: "true", title: t, to: [x]}`:                                   "is missing",
		`{name: R, when: "true", title: t, to: [x]}`:                          "is not a valid rule name",
		`{name: r, when: "true", title: t, to: [x], throttle: 0s}`:            "is no time",
		`{name: r, when: "true", title: t, to: [x], expire: 31d}`:             "is longer than 30d",
		`{name: r, when: "true", title: t, to: [x], remind: 5m}`:              "needs clear",
		`{name: r, when: "true", title: t, to: [x], group_by: []}`:            "is empty",
		`{name: r, when: "true", title: t, to: [x], topic: [orders, orders]}`: "orders",
	} {
		var d Document
		faults := yamldoc.Decode("rules.yaml", "", []byte("version: 1\nrules:\n  - "+rule+"\n"), &d)
		if len(faults) == 0 || !strings.Contains(faults[0].String(), want) {
			t.Errorf("%s: %v, want %s", rule, faults, want)
		}
	}
}
