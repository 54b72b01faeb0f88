package rule_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/rule"
)

const drawdown = `version: 1
routes: {risk: {critical: [pager, desk], warning: [desk]}}
defaults: {portfolio-updates: {where: event.mode != "paper"}}
rules:
  - name: drawdown
    topic: portfolio-updates
    when: event.drawdown >= 0.05
    clear: event.drawdown < 0.04
    remind: 1h
    expire: 1h
    severity: 'event.drawdown >= 0.08 ? "critical" : "warning"'
    key: [event.account_id]
    to: [risk]
    title: "Drawdown {{ pct(event.drawdown) }}"
`

func compileRules(t testing.TB, file string) *rule.Set {
	t.Helper()
	set, faults := rule.Compile("rules.yaml", []byte(file), rule.Environment{})
	if len(faults.Errors()) > 0 {
		t.Fatal(faults)
	}
	return set
}

// snapshot is a record of an account.
func snapshot(account string, drawdown float64, members string) event.Record {
	return event.Record{
		Topic: portfolios, Time: arrived, Arrived: arrived,
		Value: fmt.Appendf(nil, `{"event_type":"portfolio.snapshot","event_id":"e1","account_id":%q,"drawdown":%v%s}`, account, drawdown, members),
	}
}

func TestClearRaisesResolvedAlertOncePerKey(t *testing.T) {
	f := filter(compileRules(t, drawdown))
	known := rule.NewResolved()
	for i, step := range []struct {
		account string
		value   float64
		members string
		want    string
		quiet   bool
	}{
		{"A", 0.01, "", "resolved A [desk pager] 0s 1h0m0s", false}, // nothing is known of it
		{"A", 0.01, "", "", true},
		{"B", 0.01, `,"mode":"paper"`, "", true},
		{"B", 0.03, "", "resolved B [desk pager] 0s 1h0m0s", false},
		{"A", 0.045, "", "", true},
		{"A", 0.05, "", " A [desk] 1h0m0s 1h0m0s", false},
		{"A", 0.045, "", "", true},
		{"B", 0.02, "", "", true},
		{"A", 0.09, "", " A [pager desk] 1h0m0s 1h0m0s", false},
		{"A", 0.039, "", "resolved A [desk pager] 0s 1h0m0s", false},
		{"A", 0.039, "", "", true},
	} {
		rec := snapshot(step.account, step.value, step.members)
		if quiet := f.prefilter.Quiet(rec, arrived, known); quiet != step.quiet {
			t.Errorf("%d: quiet %v", i, quiet)
		}
		e, err := f.decoder.Decode(rec)
		if err != nil {
			t.Fatal(err)
		}
		alerts, err := f.set.MatchKnown(&e, arrived, known)
		got := ""
		for _, a := range alerts {
			got = fmt.Sprintf("%s %s %s %s %s", a.State, a.KeyText(), a.Channels, a.Expire, a.Remind)
			if !a.Clears || a.State == alert.Resolved && a.Severity != alert.Warning || a.WorstSeverity != alert.Critical {
				t.Errorf("%d: %+v", i, a)
			}
		}
		if err != nil || got != step.want {
			t.Errorf("%d: %q, want %q, error %v", i, got, step.want, err)
		}
	}
}

// TestPrefilterAndMatchHashKeysAlike: else events that clear are decoded again and again.
func TestPrefilterAndMatchHashKeysAlike(t *testing.T) {
	file := strings.Replace(drawdown, "[event.account_id]", "[event.a, event.b, event.c]", 1)
	f := filter(compileRules(t, file))
	for _, members := range []string{`"a":"x","b":1.50,"c":true`, `"a":null,"b":"","c":-0`, `"b":"` + strings.Repeat("long ", 100) + `"`, `"a":false,"c":12345678901234567890`} {
		known := rule.NewResolved()
		rec := snapshot("A", 0.01, ","+members)
		e, err := f.decoder.Decode(rec)
		if err != nil {
			t.Fatal(err)
		}
		if alerts, err := f.set.MatchKnown(&e, arrived, known); err != nil || len(alerts) != 1 {
			t.Fatalf("%s: %d alerts, %v", members, len(alerts), err)
		}
		if !f.prefilter.Quiet(rec, arrived, known) {
			t.Errorf("%s: not quiet", members)
		}
	}
}

func TestResolvedKeysAreBounded(t *testing.T) {
	f := filter(compileRules(t, drawdown))
	known := rule.NewResolved()
	raised := func(i int) bool {
		e, err := f.decoder.Decode(snapshot(fmt.Sprint(i), 0.01, ""))
		if err != nil {
			t.Fatal(err)
		}
		alerts, err := f.set.MatchKnown(&e, arrived, known)
		return err == nil && len(alerts) == 1
	}
	const n = 110_000
	for i := range n {
		if !raised(i) {
			t.Fatalf("key %d was known", i)
		}
		if i%1000 == 0 && i > 7 && raised(7) {
			t.Fatalf("a key that is in use was forgotten at %d", i)
		}
	}
	if !raised(0) || raised(n-1) {
		t.Error("the oldest key is known, or the newest is not")
	}
}

func TestFaultsOfClearAreReported(t *testing.T) {
	all := samples(t)
	for _, c := range []struct{ keys, want string }{
		{"clear: event.drawdown < 0.04", ""},
		{"clear: event.drawdown  >= 0.05", "is the same as when: write what is true when the alert is over"},
		{"clear: event.drawdown > 0.06", "is true only for events for which when is true, such as the sample portfolio.snapshot-drawdown: nothing ends"},
		{"clear: event.drawdown > 0.9", "is true only for events for which when is true: nothing ends"},
		{`clear: event.mode == "live" and event.drawdown == 0.9`, "is true only for events for which when is true: nothing ends"},
		{"clear: event.drawdown > 0", "is true for the sample portfolio.snapshot-drawdown, as when is: it raises the alert"},
		{"clear: event.drawdwn < 0.04", "did you mean drawdown?"},
		{"clear: event.drawdown < 0.04, remind: 30s", "is shorter than 1m"},
		{"clear: event.drawdown < 0.04, remind: 31d", "31d is longer than 30d"},
		{"remind: 1h", "needs clear, which says when reminders end: write throttle for at most one message in this time"},
		{"clear: event.drawdown < 0.04, group_by: [event.mode]", "part 1 is not a part of key: a rule with clear tells an alert and its end in one group"},
		{"clear: event.drawdown < 0.04, group_by: [event.account_id]", ""},
		{"clear: event.drawdown < 0.04, key: []", "without key all alerts of the rule are one"},
		{`clear: event.event_type == "margin.cleared", key: [event.account_id, event.peak_equity]`, "event.peak_equity is missing in the events with clear, such as the sample margin.cleared"},
		{`clear: event.drawdown < 0.04, where: event.mode == "paper"`, ""},
	} {
		if !strings.Contains(c.keys, "key:") {
			c.keys += ", key: [event.account_id]"
		}
		file := "version: 1\nrules:\n  - {name: r, topic: portfolio-updates, to: [desk], title: t, when: event.drawdown >= 0.05, " + c.keys + "}\n"
		_, faults := rule.Compile("r.yaml", []byte(file), rule.Environment{Samples: all})
		var messages []string
		for _, f := range faults {
			messages = append(messages, f.String())
		}
		if c.want == "" && len(faults) > 0 && !strings.Contains(c.keys, "paper") || c.want != "" && !slices.ContainsFunc(messages, func(m string) bool { return strings.Contains(m, c.want) }) {
			t.Errorf("%s: %q, want %q", c.keys, messages, c.want)
		}
	}
}

// BenchmarkResolvedIsQuiet recognises an event of an account of which nothing fires: the
// usual one of portfolio-updates.
func BenchmarkResolvedIsQuiet(b *testing.B) {
	const cleared = `,"mode":"live","leverage":0.5,"margin_ratio":0.2,"day_pnl":"10.00","day_return":0.001,"equity":"431000.00","currency":"USD","occurred_at":"2026-11-23T14:31:10.000Z"`
	rec := snapshot("ACC-1042", 0.01, cleared)
	without := compileRules(b, strings.NewReplacer("    clear: event.drawdown < 0.04\n", "", "    remind: 1h\n", "").Replace(drawdown))
	plain := compileRules(b, regexp.MustCompile(`(?m)^    (clear|remind): .*\n`).ReplaceAllString(string(configs.Rules), ""))
	for name, set := range map[string]*rule.Set{
		"without clear": without, "with clear": compileRules(b, drawdown), "the defaults": defaults(b), "the defaults without clear": plain,
	} {
		b.Run(name, func(b *testing.B) {
			f := filter(set)
			known := rule.NewResolved()
			e, err := f.decoder.Decode(rec)
			if err == nil {
				_, err = set.MatchKnown(&e, arrived, known)
			}
			if err != nil || !f.prefilter.Quiet(rec, arrived, known) {
				b.Fatalf("not quiet: %v", err)
			}
			b.ReportAllocs()
			b.SetBytes(int64(len(rec.Value)))
			for b.Loop() {
				f.prefilter.Quiet(rec, time.Time{}, known)
			}
		})
	}
}
