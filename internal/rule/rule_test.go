package rule_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/rule"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func samples(t testing.TB) []rule.Sample {
	t.Helper()
	d := event.NewDecoder(nil, nil, nil)
	var list []rule.Sample
	for _, s := range configs.Samples() {
		e, err := d.Decode(event.Record{Topic: string(s.Topic), Value: s.Data})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, rule.Sample{Name: s.Name, Event: e})
	}
	return list
}

func defaults(t testing.TB) *rule.Set {
	t.Helper()
	set, faults := rule.Compile("rules.yaml", configs.Rules, rule.Environment{Channels: []string{"desk"}, Samples: samples(t)})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return set
}

func match(t testing.TB, set *rule.Set, e *event.Event, now time.Time) []alert.Alert {
	t.Helper()
	alerts, err := set.Match(e, now)
	if err != nil {
		t.Fatal(err)
	}
	return alerts
}

// TestDefaultRulesMatchOnlyTheirSamples compares the alerts of all
// samples with a golden file.
func TestDefaultRulesMatchOnlyTheirSamples(t *testing.T) {
	set := defaults(t)
	fired := map[string]bool{}
	var out strings.Builder
	for _, s := range samples(t) {
		now := s.Event.Time.Add(3 * time.Second)
		for _, a := range match(t, set, &s.Event, now) {
			if a.State == alert.Resolved {
				out.WriteString(s.Name + ": " + a.Rule + " resolved [" + a.KeyText() + "]\n")
				continue
			}
			fired[a.Rule] = true
			out.WriteString(s.Name + ": " + a.Rule + " " + string(a.Severity) + " [" + a.KeyText() + "] " + a.Title.String() + "\n")
			for _, f := range a.Fields {
				out.WriteString("    " + f.Label + ": " + f.Value.String() + "\n")
			}
		}
	}
	golden(t, "defaults.golden", out.String())
	for _, r := range set.Rules() {
		if !fired[r.Name] {
			t.Errorf("%s matches no sample", r.Name)
		}
	}
	if len(set.Rules()) != 13 {
		t.Errorf("%d default rules, want 13", len(set.Rules()))
	}
}

func TestPaperAndReplayedFillsRaiseNoAlert(t *testing.T) {
	set := defaults(t)
	d := event.NewDecoder(nil, nil, nil)
	for name, doc := range map[string]string{
		"paper":    `{"event_type":"order.rejected","mode":"paper"}`,
		"backtest": `{"event_type":"order.rejected","mode":"backtest"}`,
		"replayed": `{"event_type":"order.rejected","mode":"live","reconciliation":true}`,
	} {
		e, err := d.Decode(event.Record{Topic: "trade-executions", Value: []byte(doc)})
		if err != nil {
			t.Fatal(err)
		}
		if alerts := match(t, set, &e, time.Now()); len(alerts) > 0 {
			t.Errorf("%s: %s matches", name, alerts[0].Rule)
		}
	}
	e, _ := d.Decode(event.Record{Topic: "trade-executions", Value: []byte(`{"event_type":"order.rejected"}`)})
	if alerts := match(t, set, &e, time.Now()); len(alerts) != 1 {
		t.Error("an event without a mode is treated as live")
	}
}

func TestDecoderKeepsMembersThatRulesRead(t *testing.T) {
	set := defaults(t)
	sparing := event.NewDecoder(nil, set.Reads(), nil)
	if len(set.Reads()) != 3 {
		t.Fatalf("the rules read %v", set.Reads())
	}
	all := samples(t)
	for i, s := range configs.Samples() {
		e, err := sparing.Decode(event.Record{Topic: string(s.Topic), Value: s.Data})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		got, want := match(t, set, &e, now), match(t, set, &all[i].Event, now)
		if !slices.EqualFunc(got, want, func(a, b alert.Alert) bool { return a.Rule == b.Rule && a.Title.String() == b.Title.String() }) {
			t.Errorf("%s: %v, want %v", s.Name, got, want)
		}
	}
}

// TestCompileReportsAllFaults: each mistake is one line with its place and, if there
// is one, a suggestion.
func TestCompileReportsAllFaults(t *testing.T) {
	for _, name := range []string{"nine-faults", "more-faults", "not-yaml", "warnings"} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			set, faults := rule.Compile(name+".yaml", data, rule.Environment{Channels: []string{"desk", "desk-mail"}, Samples: samples(t)})
			if (set == nil) != (len(faults.Errors()) > 0) {
				t.Errorf("set %v with %d errors", set, len(faults.Errors()))
			}
			golden(t, name+".golden", faults.Error()+"\n")
			if name == "nine-faults" && len(faults) != 9 {
				t.Errorf("%d faults", len(faults))
			}
		})
	}
}

func TestMissingConditionIsOneFault(t *testing.T) {
	const file = "version: 1\nrules:\n  - {name: a, topic: trade-executions, to: [desk], title: t}\n"
	set, faults := rule.Compile("r.yaml", []byte(file), rule.Environment{Channels: []string{"desk"}, Samples: samples(t)})
	if got, want := faults.Error(), "r.yaml:3:5: rules[0].when: is missing"; set != nil || got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestUnquotedFieldIsOneFault(t *testing.T) {
	const file = "version: 1\nrules:\n  - {name: a, when: true, to: [desk], title: t, fields: [{{ event.x }}, {y: {{ event.y }}}]}\n"
	_, faults := rule.Compile("r.yaml", []byte(file), rule.Environment{Channels: []string{"desk"}})
	const want = `r.yaml:3:58: rules[0].fields[0]: put a text with {{ in quotes: "{{ … }}"` + "\n" + `r.yaml:3:77: rules[0].fields[1].y: put a text with {{ in quotes: "{{ … }}"`
	if faults.Error() != want {
		t.Errorf("%s, want %s", faults, want)
	}
}

const routed = `
version: 1
routes:
  trading: {critical: [desk, pager], warning: [desk], info: [mail]}
rules:
  - name: r
    when: event.x > 0
    severity: 'event.x > 9 ? "critical" : "warning"'
    to: [trading, desk]
    title: "x is {{ event.x }}"
`

func TestRoutesResolveToEachChannelOnce(t *testing.T) {
	set, faults := rule.Compile("r.yaml", []byte(routed), rule.Environment{Channels: []string{"desk", "pager", "mail"}})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for doc, want := range map[string][]string{`{"x":1}`: {"desk"}, `{"x":10}`: {"desk", "pager"}} {
		e, err := event.NewDecoder(nil, nil, nil).Decode(event.Record{Topic: "trade-executions", Value: []byte(doc)})
		if err != nil {
			t.Fatal(err)
		}
		alerts := match(t, set, &e, time.Now())
		if len(alerts) != 1 || !slices.Equal(alerts[0].Channels, want) || alerts[0].WorstSeverity != alert.Critical {
			t.Errorf("%s: %+v", doc, alerts)
		}
	}
	if r := set.Rules()[0]; !slices.Equal(r.Severities, []alert.Severity{alert.Warning, alert.Critical}) || !slices.Equal(r.Channels, []string{"desk", "pager"}) {
		t.Errorf("%+v", r)
	}
}

func TestRuleWhereReplacesTopicDefault(t *testing.T) {
	const file = `
version: 1
defaults: {trade-executions: {where: event.live}}
rules:
  - {name: a, when: event.x == 1, to: c, title: t}
  - {name: b, when: event.x == 1, where: true, to: c, title: t}
  - {name: c, when: event.x == 1, where: event.other, to: c, title: t}
`
	set, faults := rule.Compile("r.yaml", []byte(file), rule.Environment{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for doc, want := range map[string]string{`{"x":1}`: "b", `{"x":1,"live":true}`: "ab", `{"x":1,"other":true}`: "bc"} {
		e, _ := event.NewDecoder(nil, nil, nil).Decode(event.Record{Topic: "trade-executions", Value: []byte(doc)})
		var got string
		for _, a := range match(t, set, &e, time.Now()) {
			got += a.Rule
		}
		if got != want {
			t.Errorf("%s: %s, want %s", doc, got, want)
		}
	}
}

// TestNestedAliasesAreOneFault: a few lines would expand to billions of values.
func TestNestedAliasesAreOneFault(t *testing.T) {
	text := "version: 1\nvars:\n  a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for name := 'b'; name < 'k'; name++ {
		text += strings.NewReplacer("NEW", string(name), "OLD", string(name-1)).Replace("  NEW: &NEW {p: *OLD, q: *OLD, r: *OLD, s: [*OLD, *OLD, *OLD, *OLD]}\n")
	}
	_, faults := rule.Compile("rules.yaml", []byte(text), rule.Environment{})
	if len(faults) != 1 || !strings.HasPrefix(faults[0].String(), "rules.yaml: more than 100000 values") {
		t.Errorf("%v", faults)
	}
}

func TestRenamedChannelIsOneFault(t *testing.T) {
	for rules, where := range map[int]string{1: "", 2: " (in rules r0, r1)", 3: " (in rules r0, r1, r2)", 16: " (in rules r0, r1, r2 and 13 more)"} {
		file := "version: 1\nrules:\n"
		for n := range rules {
			file += fmt.Sprintf("  - {name: r%d, when: event.x == 1, to: [hook, hook], title: t}\n", n)
		}
		_, faults := rule.Compile("r.yaml", []byte(file), rule.Environment{Channels: []string{"hook2"}})
		faults = faults.Errors()
		want := `r.yaml:3:41: rules[0].to[0]: unknown channel or route "hook"` + where + ": did you mean hook2?"
		if len(faults) != 1 || faults[0].String() != want {
			t.Errorf("%d rules: got\n%s\nwant\n%s", rules, faults.Error(), want)
		}
	}
}

// TestRenamedChannelOfRoutesIsOneFault, with the rules that name it too.
func TestRenamedChannelOfRoutesIsOneFault(t *testing.T) {
	for file, want := range map[string]string{
		"rules: [{name: a, when: event.x == 1, to: [hook, trading], title: t, severity: info}, {name: b, when: event.x == 1, to: [hook, night], title: t, severity: info}]\nroutes:\n  trading: {info: [hook], critical: [hook, desk]}\n  night: {info: [desk, hook]}\n": `r.yaml:2:44: rules[0].to[0]: unknown channel or route "hook" (in routes night, trading and rules a, b): did you mean hook2?`,
		"routes:\n  trading: {info: [hook], critical: [hook]}\n":                                 `r.yaml:3:20: routes.trading.info[0]: unknown channel or route "hook": did you mean hook2?`,
		"routes: {a: {info: [hook]}, b: {info: [hook]}, c: {info: [hook]}, d: {info: [hook]}}\n": `r.yaml:2:21: routes.a.info[0]: unknown channel or route "hook" (in routes a, b, c and 1 more): did you mean hook2?`,
		"routes: {trading: {info: [desk]}, all: {info: [trading]}}\n":                            `r.yaml:2:48: routes.all.info[0]: trading is a route: name channels here`,
	} {
		_, faults := rule.Compile("r.yaml", []byte("version: 1\n"+file), rule.Environment{Channels: []string{"desk", "hook2"}})
		if faults = faults.Errors(); len(faults) != 1 || faults[0].String() != want {
			t.Errorf("%s got\n%s\nwant\n%s", file, faults.Error(), want)
		}
	}
}

func TestThrottleAndExpireHaveBounds(t *testing.T) {
	for value, want := range map[string]string{
		"0": "is no time: remove %s for none", "0d": "is no time: remove %s for none", "-5m": "is negative", "1y": "is longer than 30d, the most that alerts are kept for",
		"721h": "is longer than 30d, the most that alerts are kept for", "999999w": "is not a duration: write it as 500ms, 30s, 5m, 1h, 7d or 1w", "5": "is not a duration: write it as 500ms, 30s, 5m, 1h, 7d or 1w",
		"500ms": "", "30d": "", "1d12h": "",
	} {
		for _, key := range []string{"throttle", "expire"} {
			_, faults := rule.Compile("r.yaml", []byte("version: 1\nrules:\n  - name: a\n    when: event.x == 1\n    title: t\n    to: [desk]\n    "+key+": "+value+"\n"), rule.Environment{})
			switch {
			case want == "" && len(faults) == 0:
			case want == "" || len(faults) != 1 || !strings.HasSuffix(faults[0].Message, strings.ReplaceAll(want, "%s", key)) || faults[0].Line != 7:
				t.Errorf("%s: %s: got %s, want %q", key, value, faults.Error(), want)
			}
		}
	}
}
