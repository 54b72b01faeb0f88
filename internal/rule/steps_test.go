package rule

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/topics"
)

// oneRule is a file with one rule.
func oneRule(t testing.TB, when string) *Set {
	t.Helper()
	set, faults := Compile("r.yaml", []byte("version: 1\nrules:\n  - {name: costly, to: [desk], title: t, when: "+strconv.Quote(when)+"}\n"), Environment{})
	if len(faults.Errors()) > 0 {
		t.Fatal(faults)
	}
	return set
}

// decodeWide decodes a document without the limits of the decoder.
func decodeWide(t testing.TB, doc string) *event.Event {
	t.Helper()
	d := event.NewDecoder(&event.Config{MaxUnpacked: 64 << 20}, nil, nil)
	e, err := d.Decode(event.Record{Topic: string(topics.TradeExecutions), Value: []byte(doc), Time: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return &e
}

// jsonList is a JSON array of n elements, the i-th as format says.
func jsonList(n int, format string) string {
	elements := make([]string, n)
	for i := range elements {
		elements[i] = strings.ReplaceAll(format, "%d", strconv.Itoa(i))
	}
	return "[" + strings.Join(elements, ",") + "]"
}

// jsonObject is a JSON object of n members.
func jsonObject(n int, value string) string {
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf(`"k%05d":%s`, i, value)
	}
	return "{" + strings.Join(members, ",") + "}"
}

// costly are rules with an event of less than 2 MiB and 100,000 values that
// exceeds the step limit.
var costly = map[string]struct{ when, doc string }{
	"a list that the element chooses":  {`any(event.a, "z" in (.x ?? event.b))`, `{"a":` + jsonList(30_000, `{"x":null}`) + `,"b":` + jsonList(30_000, `"b%d"`) + `}`},
	"a predicate over such a list":     {`any(event.a, any(.x ?? event.b, # == "z"))`, `{"a":` + jsonList(30_000, `{}`) + `,"b":` + jsonList(30_000, `"b%d"`) + `}`},
	"a sum of such a list":             {`any(event.a, sum(# ? [] : event.b) == 1)`, `{"a":` + jsonList(30_000, `0`) + `,"b":` + jsonList(30_000, `%d`) + `}`},
	"the greatest of such a list":      {`any(event.a, max(.x ?? event.b) == -1)`, `{"a":` + jsonList(30_000, `{}`) + `,"b":` + jsonList(30_000, `%d`) + `}`},
	"such lists compared":              {`any(event.a, (.x ?? event.b) != event.c)`, `{"a":` + jsonList(30_000, `{}`) + `,"b":` + jsonList(20_000, `0`) + `,"c":` + jsonList(20_000, `0`) + `}`},
	"a filter of such a list":          {`any(event.a, len(filter(.x ?? event.b, true)) == 0)`, `{"a":` + jsonList(30_000, `{}`) + `,"b":` + jsonList(30_000, `%d`) + `}`},
	"a list joined for each element":   {`any(event.a, len(join(event.b, .x)) == 0)`, `{"a":` + jsonList(30_000, `{"x":"-"}`) + `,"b":` + jsonList(30_000, `"b%d"`) + `}`},
	"a long separator":                 {`len(join(event.b, event.t)) == 0`, `{"b":` + jsonList(50_000, `0`) + `,"t":"` + strings.Repeat("x", 1<<20) + `"}`},
	"two large objects":                {`event.a == event.b`, `{"a":` + jsonObject(40_000, "1") + `,"b":` + jsonObject(40_000, "1") + `}`},
	"a large object, by name":          {`any(event.a, event.o[#] == 1)`, `{"a":` + jsonList(40_000, `"k%d"`) + `,"o":` + jsonObject(40_000, "0") + `}`},
	"a name in a large object":         {`any(event.a, # in (event.x ?? event.o))`, `{"a":` + jsonList(40_000, `"k%d"`) + `,"o":` + jsonObject(40_000, "0") + `}`},
	"a member of a large object":       {`any(event.a, (.x ?? event.o).none == 1)`, `{"a":` + jsonList(40_000, `{}`) + `,"o":` + jsonObject(40_000, "0") + `}`},
	"a long text, searched":            {`any(event.a, event.t contains #)`, `{"a":` + jsonList(60_000, `"z%d"`) + `,"t":"` + strings.Repeat("zy", 1<<19) + `"}`},
	"a long text, compared":            {`any(event.a, (.x ?? event.t) != event.u)`, `{"a":` + jsonList(60_000, `{}`) + `,"t":"` + strings.Repeat("x", 1<<19) + `","u":"` + strings.Repeat("x", 1<<19) + `"}`},
	"a long text, ordered":             {`any(event.a, (.x ?? event.t) < event.u)`, `{"a":` + jsonList(60_000, `{}`) + `,"t":"` + strings.Repeat("x", 1<<19) + `","u":"` + strings.Repeat("x", 1<<19) + `"}`},
	"a long text as a number":          {`any(event.a, num(.x ?? event.t) > 1)`, `{"a":` + jsonList(60_000, `{}`) + `,"t":"` + strings.Repeat(" ", 1<<20) + `x"}`},
	"a long text plus one":             {`any(event.a, (.x ?? event.t) + 1 > 1)`, `{"a":` + jsonList(60_000, `{}`) + `,"t":"` + strings.Repeat(" ", 1<<20) + `x"}`},
	"a long text against a number":     {`any(event.a, (.x ?? event.t) == 1)`, `{"a":` + jsonList(60_000, `{}`) + `,"t":"` + strings.Repeat(" ", 1<<20) + `x"}`},
	"a long text's sum":                {`any(event.a, sum([.x ?? event.t]) > 1)`, `{"a":` + jsonList(60_000, `{}`) + `,"t":"` + strings.Repeat(" ", 1<<20) + `x"}`},
	"a long text's length":             {`any(event.a, len(.x ?? event.t) == 1)`, `{"a":` + jsonList(60_000, `{}`) + `,"t":"` + strings.Repeat("é", 1<<19) + `"}`},
	"a long text in small letters":     {`any(event.a, lower(.x ?? event.t) == "x")`, `{"a":` + jsonList(60_000, `{}`) + `,"t":"` + strings.Repeat("É", 1<<19) + `"}`},
	"small letters, kept":              {`len(map(event.a, lower(.x ?? event.t))) == 1`, `{"a":` + jsonList(60_000, `{}`) + `,"t":"` + strings.Repeat("É", 1<<19) + `"}`},
	"a long text, trimmed":             {`any(event.a, trim(.x ?? event.t) == "y")`, `{"a":` + jsonList(60_000, `{}`) + `,"t":"` + strings.Repeat(" ", 1<<20) + `x"}`},
	"a long text, by a pattern":        {`any(event.a, (.x ?? event.t) matches "(x+x+)+y")`, `{"a":` + jsonList(60_000, `{}`) + `,"t":"` + strings.Repeat("x", 1<<19) + `"}`},
	"a long text, by a large pattern":  {`event.t matches "(x?){1000}y"`, `{"t":"` + strings.Repeat("x", 1<<20) + `"}`},
	"times that are none":              {`any(event.a, any(event.b, age(#) < 0) or any(.x ?? event.b, age(#) < 0))`, `{"a":` + jsonList(30_000, `{}`) + `,"b":` + jsonList(30_000, `"2026-11-23 and so on"`) + `}`},
	"a long layout of times":           {`any(event.a, clock(1795444265, .x ?? event.t) == "y")`, `{"a":` + jsonList(60_000, `{}`) + `,"t":"` + strings.Repeat("5", 1<<19) + `"}`},
	"the rules over and over":          {`any(map(event.a, event.b), any(#, # == "z"))`, `{"a":` + jsonList(30_000, `0`) + `,"b":` + jsonList(30_000, `"b%d"`) + `}`},
	"a list of lists":                  {`any(map(event.a, event.b), join(#) == "z")`, `{"a":` + jsonList(30_000, `0`) + `,"b":` + jsonList(30_000, `"b%d"`) + `}`},
	"lists of one element made":        {`len(map(event.a, map(.x ?? event.b, #))) == 1`, `{"a":` + jsonList(30_000, `{}`) + `,"b":` + jsonList(30_000, `0`) + `}`},
	"lists of two in a list of many":   {`any(event.a, # in (event.x ?? event.b))`, `{"a":` + jsonList(16_000, `[%d]`) + `,"b":` + jsonList(16_000, `[-1]`) + `}`},
	"ids that are no whole number":     {`any(event.a, # in (.x ?? event.b))`, `{"a":` + jsonList(16_000, `9007199254740993`) + `,"b":` + jsonList(16_000, `9007199254740992`) + `}`},
	"an element's own list, in a loop": {`any(event.a, any(event.a[0].l, # == 1) or any(.m ?? event.b, # == "z"))`, `{"a":` + jsonList(20_000, `{"l":[]}`) + `,"b":` + jsonList(20_000, `"%d"`) + `}`},
}

// TestMatchStopsAtStepLimit and names the rule. It uses a tenth of MaxSteps.
func TestMatchStopsAtStepLimit(t *testing.T) {
	for name, c := range costly {
		t.Run(name, func(t *testing.T) {
			set := oneRule(t, c.when)
			set.steps = calc.MaxSteps / 10
			alerts, err := set.Match(decodeWide(t, c.doc), time.Now())
			var failed *outcome.Error
			if !errors.As(err, &failed) || failed.Cause != outcome.RuleBudget || failed.Rule != "costly" || len(alerts) > 0 {
				t.Fatalf("%d alerts, %v", len(alerts), err)
			}
			if want := "rule costly took 1000000 of the limit of 1000000 steps for all rules on one event"; failed.Detail != want {
				t.Errorf("%s, want %s", failed.Detail, want)
			}
		})
	}
}

// TestLargeEventsStayWithinStepLimit: these rules look quadratic but are not.
func TestLargeEventsStayWithinStepLimit(t *testing.T) {
	lists := `{"a":` + jsonList(45_000, `{"x":"a%d"}`) + `,"b":` + jsonList(5_000, `"b%d"`) + `}`
	for name, c := range map[string]struct{ when, doc string }{
		"every element in a list":         {`any(event.a, .x in event.b)`, lists},
		"every element in a list of ours": {`any(event.a, .x in map(event.b, #))`, lists},
		"a predicate in a predicate":      {`any(event.a, any(event.b, # == "z"))`, lists},
		"twice":                           {`any(event.a, count(event.b, # contains "z") > 0 or .x == join(event.b))`, lists},
		"its own lists":                   {`any(event.a, any(.l, # == 3))`, `{"a":` + jsonList(18_000, `{"l":[0,1,2]}`) + `}`},
		"a long text":                     {`any(event.a, lower(event.t) == # or event.t matches "^a")`, `{"a":` + jsonList(50_000, `"a%d"`) + `,"t":"` + strings.Repeat("É", 1<<19) + `"}`},
		"headers":                         {`any(event.a, meta.headers.h == .x)`, lists},
		"numbers":                         {`any(event.a, # in event.b)`, `{"a":` + jsonList(40_000, `%d.5`) + `,"b":` + jsonList(40_000, `%d`) + `}`},
		"ids":                             {`any(event.a, # in event.b)`, `{"a":` + jsonList(40_000, `900719925474%d1`) + `,"b":` + jsonList(40_000, `900719925474%d3`) + `}`},
		"samples' fields":                 {`sum(event.a, len(.x)) < 0`, lists},
	} {
		if alerts, err := oneRule(t, c.when).Match(decodeWide(t, c.doc), time.Now()); err != nil || len(alerts) > 0 {
			t.Errorf("%s: %d alerts, %v", name, len(alerts), err)
		}
	}
}

// TestLongNumberIsNotCopied covers each function that parses a number.
func TestLongNumberIsNotCopied(t *testing.T) {
	set := oneRule(t, `any(event.a, age(.x ?? event.n) < 0 or money(.x ?? event.n) == "y" or (.x ?? event.n) == 1795444265.5 or (.x ?? event.n) in [1795444265.5])`)
	e := decodeWide(t, `{"a":`+jsonList(30_000, `{}`)+`,"n":1795444265.`+strings.Repeat("0", 1<<20)+`}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if alerts, err := set.Match(e, time.Now()); err != nil || len(alerts) > 0 {
		t.Fatalf("%d alerts, %v", len(alerts), err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
		t.Errorf("%d bytes allocated", n)
	}
}

// TestAllRulesShareTheStepLimit: the error names the most expensive rule, not the
// one that exceeded the limit.
func TestAllRulesShareTheStepLimit(t *testing.T) {
	const file = `
version: 1
rules:
  - {name: small, to: [desk], title: t, when: 'any(event.a, # == 1)'}
  - {name: large, to: [desk], title: t, when: 'event.go and sum(map(event.a, sum(map(# == 0 ? event.a : [], # + 1)))) < 0'}
  - {name: last, to: [desk], title: t, when: 'sum(map(event.a, # + 1)) < 0'}
`
	set, faults := Compile("r.yaml", []byte(file), Environment{})
	if len(faults.Errors()) > 0 {
		t.Fatal(faults)
	}
	zeros := func(n int, more string) *event.Event {
		return decodeWide(t, `{"a":`+jsonList(n, "0")+more+`}`)
	}
	set.steps = calc.MaxSteps / 10
	if _, err := set.Match(zeros(100, `,"go":true`), time.Now()); err != nil {
		t.Errorf("a short list: %v", err)
	}
	_, err := set.Match(zeros(1000, `,"go":true`), time.Now())
	if failed := outcome.Classify(err); failed == nil || failed.Rule != "large" {
		t.Errorf("the most expensive rule is not named: %v", err)
	}
	if _, err := set.Match(zeros(30_000, ""), time.Now()); err != nil {
		t.Errorf("a linear rule on a large event: %v", err)
	}
}

// TestTemplatesAndKeysTakeSteps: the whole alert is counted, not only the condition.
func TestTemplatesAndKeysTakeSteps(t *testing.T) {
	const expensive = `sum(map(event.a, sum(map(# == 0 ? event.a : [], # + 1))))`
	for name, line := range map[string]string{
		"title": `title: "{{ ` + expensive + ` }}"`, "text": `title: t, text: "{{ ` + expensive + ` }}"`, "key": `title: t, key: '` + expensive + `'`,
		"field": `title: t, fields: ['` + expensive + `']`, "severity": `title: t, severity: '` + expensive + ` > 1 ? "critical" : "info"'`, "where": `title: t, where: '` + expensive + ` > 1'`,
	} {
		set, faults := Compile("r.yaml", []byte("version: 1\nrules:\n  - {name: r, to: [desk], when: true, "+line+"}\n"), Environment{})
		if len(faults.Errors()) > 0 {
			t.Fatal(faults)
		}
		set.steps = calc.MaxSteps / 10
		if _, err := set.Match(decodeWide(t, `{"a":`+jsonList(5000, "0")+`}`), time.Now()); outcome.Classify(err) == nil || outcome.Classify(err).Cause != outcome.RuleBudget {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// BenchmarkBudget measures how long MaxSteps take, for each kind of step.
func BenchmarkBudget(b *testing.B) {
	for name, c := range costly {
		set, e := oneRule(b, c.when), decodeWide(b, c.doc)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := set.Match(e, time.Now()); err == nil {
					b.Fatal("it is not costly")
				}
			}
		})
	}
}
