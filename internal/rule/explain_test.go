package rule

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/expr/exprtest"
	"github.com/algotrade/notifier/internal/expr/trace"
	"github.com/algotrade/notifier/internal/expr/tree"
)

var fixedNow = time.Unix(1795444265, 0)

// agrees reports whether the explanations say what Match does.
func agrees(list []Explanation, alerts []alert.Alert) bool {
	for _, e := range list {
		i := slices.IndexFunc(alerts, func(a alert.Alert) bool { return a.Rule == e.Rule })
		want := No
		switch {
		case i >= 0 && alerts[i].State == alert.Resolved:
			want = Resolves
		case i >= 0:
			want = Fires
		}
		if e.Result != want || (e.Alert == nil) != (want == No) {
			return false
		}
		if blamed := slices.Concat(e.When.Decisive(), whereOf(e).Decisive()); want == No && e.Clear == nil && (len(blamed) == 0 || blamed[0].True) {
			return false
		}
	}
	return true
}

func whereOf(e Explanation) *trace.Part {
	if e.Where == nil {
		return &trace.Part{Join: "and", True: true}
	}
	return &e.Where.Part
}

// drawCondition draws a condition of a few joined expressions.
func drawCondition() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		one := func() string {
			return rapid.SampledFrom([]string{"", "not "}).Draw(t, "not") + "(" + exprtest.Expression(2, false).Draw(t, "expression") + ")"
		}
		text := one()
		for range rapid.IntRange(0, 3).Draw(t, "more") {
			text += rapid.SampledFrom([]string{" and ", " or ", " && ", " || "}).Draw(t, "join") + one()
		}
		return text
	})
}

func TestExplanationAgreesWithMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		file := "version: 1\nvars: {limit: 4}\ndefaults: {trade-executions: {where: " + strconv.Quote(drawCondition().Draw(t, "where")) + "}}\nrules:\n" +
			"  - {name: r, to: [desk], title: t, when: " + strconv.Quote(drawCondition().Draw(t, "when")) + "}\n" +
			"  - {name: c, to: [desk], title: t, key: [event.a], when: " + strconv.Quote(drawCondition().Draw(t, "fires")) + ", clear: " + strconv.Quote(drawCondition().Draw(t, "clear")) + "}\n"
		set, faults := Compile("r.yaml", []byte(file), Environment{})
		if len(faults.Errors()) > 0 {
			t.Skip("not supported")
		}
		for range 10 {
			ev := &event.Event{Record: event.Record{Topic: "trade-executions"}, Doc: exprtest.Document(t)}
			alerts, err := set.Match(ev, fixedNow)
			list, explained := set.Explain(ev, fixedNow, nil)
			if (err == nil) != (explained == nil) || err == nil && !agrees(list, alerts) {
				t.Fatalf("%+v\nalerts %+v", list, alerts)
			}
		}
	})
}

func shippedSamples(t *testing.T) []Sample {
	t.Helper()
	d := event.NewDecoder(nil, nil, nil)
	var list []Sample
	for _, s := range configs.Samples() {
		e, err := d.Decode(event.Record{Topic: string(s.Topic), Value: s.Data, Arrived: fixedNow})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, Sample{Name: s.Name, Event: e, BuiltIn: true})
	}
	return list
}

func TestShippedRulesAreExplainedAsTheyMatch(t *testing.T) {
	set, _ := Compile("rules.yaml", configs.Rules, Environment{})
	samples := shippedSamples(t)
	results := make(map[Result]int)
	for i := range samples {
		ev := &samples[i].Event
		alerts, err := set.Match(ev, ev.Time)
		if err != nil {
			t.Fatal(err)
		}
		list, _ := set.Explain(ev, ev.Time, samples)
		if !agrees(list, alerts) {
			t.Errorf("%s: %+v", samples[i].Name, list)
		}
		for _, e := range list {
			results[e.Result]++
			for _, c := range []*Condition{&e.When, e.Clear, e.Where} {
				if c != nil {
					checkPlaces(t, c.Source, &c.Part)
				}
			}
		}
	}
	if results[Fires] < 15 || results[Resolves] < 3 || results[No] < 100 {
		t.Errorf("%v", results)
	}
}

// checkPlaces: each part stands in the source where it says, inside of the one that joins it.
func checkPlaces(t *testing.T, source string, p *trace.Part) {
	t.Helper()
	if _, err := tree.Parse(string([]rune(source)[p.Start:p.End])); err != nil {
		t.Errorf("%q of %q: %v", p.Text, source, err)
	}
	for i := range p.Parts {
		if in := &p.Parts[i]; in.Start < p.Start || in.End > p.End || i > 0 && in.Start < p.Parts[i-1].End {
			t.Errorf("%q is not in %q", in.Text, p.Text)
		}
		checkPlaces(t, source, &p.Parts[i])
	}
}

func explainOne(t *testing.T, when, doc string) Explanation {
	t.Helper()
	set, faults := Compile("r.yaml", []byte("version: 1\nvars: {large: 50000}\nrules:\n  - {name: r, topic: trade-executions, to: [desk], title: t, when: "+strconv.Quote(when)+"}\n"), Environment{})
	if set == nil {
		t.Fatal(faults)
	}
	ev, err := event.NewDecoder(nil, nil, nil).Decode(event.Record{Topic: "trade-executions", Value: []byte(doc), Arrived: fixedNow})
	if err != nil {
		t.Fatal(err)
	}
	list, err := set.Explain(&ev, fixedNow, shippedSamples(t))
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	return list[0]
}

// TestFalsePartsNameTheirValues: what is said of a condition that is false.
func TestFalsePartsNameTheirValues(t *testing.T) {
	for _, c := range []struct{ when, doc, want string }{
		{`event.notional > vars.large`, `{"notional": "12000"}`, `event.notional > vars.large: event.notional is "12000" (text), vars.large is 50000`},
		{`event.a == 1 and event.notional > vars.large`, `{"a": 1, "notional": 3}`, `event.notional > vars.large: event.notional is 3 (number), vars.large is 50000`},
		{`event.mood == 1 or (event.b == 2 and event.colour == 3)`, `{"b": 2}`, `event.mood == 1: event.mood is missing (no sample has it)|event.colour == 3: event.colour is missing (no sample has it)`},
		{`(event.symbol) == "NVDA"`, `{"symbol": "AMD"}`, `(event.symbol) == "NVDA": event.symbol is "AMD" (text)`},
		{`event.order.qty * 2 > 5`, `{"order": {"qty": 1}}`, `event.order.qty * 2 > 5: event.order.qty * 2 is 2 (number), event.order.qty is 1 (number)`},
		{`event.notionl > 5`, `{}`, `event.notionl > 5: event.notionl is missing (did you mean event.notional?)`},
		{`event.x.notional > 5`, `{"x": {"notionals": 1}}`, `event.x.notional > 5: event.x.notional is missing (did you mean event.x.notionals?)`},
		{`event.symbol == "A"`, `{"event_type": "order.filled"}`, `event.symbol == "A": event.symbol is missing (the sample order.filled-large has "AAPL", text)`},
		{`event.at > 5`, `{"at": "noon"}`, `event.at > 5: event.at is "noon" (text), a text and a number have no order`},
		{`event.flag`, `{"flag": "yes"}`, `event.flag: event.flag is "yes" (text), its value is no boolean, so it is never true`},
		{`not (event.a == 1 or event.b)`, `{"a": 1, "b": null}`, `not (event.a == 1 or event.b): event.a is 1 (number), event.b is null`},
		{`event.side not in ["BUY", "(SELL"] and true`, `{"side": "BUY"}`, `event.side not in ["BUY", "(SELL"]: event.side is "BUY" (text)`},
		{`any(event.p, .w > vars.large)`, `{"p": [{"w": 1}, {"w": 2}]}`, `any(event.p, .w > vars.large): map(event.p, .w) is [1, 2] (list), vars.large is 50000`},
		{`any(event.p, .w > 5)`, `{"p": []}`, `any(event.p, .w > 5): event.p is empty (list)`},
		{`event.a / event.b > 1`, `{"a": 1, "b": 0}`, `event.a / event.b > 1: event.a / event.b has no result, event.a is 1 (number), event.b is 0 (number)`},
	} {
		e := explainOne(t, c.when, c.doc)
		var got []string
		for _, p := range e.When.Decisive() {
			var values []string
			for _, v := range p.Values {
				values = append(values, v.String())
			}
			if p.Note != "" {
				values = append(values, p.Note)
			}
			got = append(got, p.Text+": "+strings.Join(values, ", "))
		}
		if text := strings.Join(got, "|"); text != c.want || e.Result != No {
			t.Errorf("%s\n got %s\nwant %s", c.when, text, c.want)
		}
	}
}

func TestSeverityBranchesAreExplained(t *testing.T) {
	set, _ := Compile("rules.yaml", configs.Rules, Environment{})
	samples := shippedSamples(t)
	i := slices.IndexFunc(samples, func(s Sample) bool { return s.Name == "portfolio.snapshot-drawdown" })
	list, _ := set.Explain(&samples[i].Event, samples[i].Event.Time, nil)
	j := slices.IndexFunc(list, func(e Explanation) bool { return e.Rule == "drawdown" })
	if got := list[j].Severity; len(got) != 1 || got[0].Text != "event.drawdown >= vars.critical_drawdown" || got[0].True != (list[j].Alert.Severity == alert.Critical) {
		t.Errorf("%+v", list[j])
	}
}

func TestNearestMissHasFewestFalseParts(t *testing.T) {
	part := func(values ...bool) Explanation {
		e := Explanation{When: Condition{Part: trace.Part{Join: "and"}}}
		for _, v := range values {
			e.Rule += strconv.FormatBool(v)[:1]
			e.When.Parts = append(e.When.Parts, trace.Part{True: v})
		}
		return e
	}
	list := []Explanation{part(false), part(true, true, false, false), part(true, false), part(true, true, false)}
	Nearest(list)
	var names []string
	for _, e := range list {
		names = append(names, e.Rule)
	}
	if got := strings.Join(names, " "); got != "ttf tf f ttff" {
		t.Error(got)
	}
}

func TestExplanationBoundsSteps(t *testing.T) {
	c := costly["a list that the element chooses"]
	set := oneRule(t, c.when)
	set.steps = calc.MaxSteps / 10
	list, err := set.Explain(decodeWide(t, c.doc), time.Now(), nil)
	if err == nil || list[0].Result != No || list[0].When.Note == "" {
		t.Errorf("%v: %+v", err, list)
	}
}
