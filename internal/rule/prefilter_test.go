package rule_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/topics"
)

var arrived = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// record is a trade execution that arrived when it was written.
func record(value string) event.Record {
	return event.Record{Topic: string(topics.TradeExecutions), Value: []byte(value), Time: arrived, Arrived: arrived}
}

// filtered is a set of rules with its decoder and its prefilter.
type filtered struct {
	set       *rule.Set
	decoder   *event.Decoder
	prefilter *rule.Prefilter
}

func filter(set *rule.Set) filtered {
	d := event.NewDecoder(nil, set.Reads(), nil)
	return filtered{set, d, set.Prefilter(d)}
}

// conditions returns a set with one rule for each condition.
func conditions(t testing.TB, when ...string) *rule.Set {
	t.Helper()
	file := "version: 1\nvars: {limit: 4, name: a, ids: [9007199254740993, x]}\nrules:\n"
	for i, w := range when {
		file += fmt.Sprintf("  - {name: r%d, to: [desk], title: t, when: %q}\n", i, w)
	}
	set, faults := rule.Compile("rules.yaml", []byte(file), rule.Environment{})
	if len(faults.Errors()) > 0 {
		t.Fatal(faults)
	}
	return set
}

// TestPrefilterIsSafeForConcurrentUse shows what the race detector sees.
func TestPrefilterIsSafeForConcurrentUse(t *testing.T) {
	f := filter(conditions(t, `event.kind == "a" and event.n > 5`, `any(event.list, .n > 5)`))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for n := range 10_000 {
				if quiet := f.prefilter.Quiet(record(fmt.Sprintf(`{"kind":"a","n":%d,"list":[{"n":%d}]}`, n%10, n%7)), arrived, nil); quiet != (n%10 <= 5 && n%7 <= 5) {
					t.Errorf("event %d: quiet %t", n, quiet)
				}
			}
		})
	}
	all.Wait()
}

// check fails if the prefilter calls a record quiet that is not, and returns
// whether it calls it quiet.
func (f filtered) check(t testing.TB, rec event.Record) bool {
	t.Helper()
	if !f.prefilter.Quiet(rec, arrived, nil) {
		return false
	}
	e, err := f.decoder.Decode(rec)
	if err != nil || e.Repaired != "" {
		t.Fatalf("%q is called quiet: error %v, repair %q", rec.Value, err, e.Repaired)
	}
	if alerts, err := f.set.Match(&e, arrived); err != nil || len(alerts) > 0 {
		t.Fatalf("%q is called quiet: error %v, alerts %v", rec.Value, err, alerts)
	}
	return true
}

// checkKnown is check of the second of two equal records: what the first one resolves is
// known.
func (f filtered) checkKnown(t testing.TB, rec event.Record) {
	t.Helper()
	known := rule.NewResolved()
	e, err := f.decoder.Decode(rec)
	if err != nil {
		return
	}
	if _, err := f.set.MatchKnown(&e, arrived, known); err != nil || !f.prefilter.Quiet(rec, arrived, known) {
		return
	}
	if alerts, err := f.set.MatchKnown(&e, arrived, known); err != nil || len(alerts) > 0 {
		t.Fatalf("%q is called quiet a second time: error %v, alerts %v", rec.Value, err, alerts)
	}
}

func TestPrefilterRecognisesQuietSamples(t *testing.T) {
	f := filter(defaults(t))
	for i, s := range samples(t) {
		data := configs.Samples()[i].Data
		want := len(match(t, f.set, &s.Event, arrived)) == 0
		if got := f.check(t, event.Record{Topic: s.Event.Record.Topic, Value: data, Time: arrived, Arrived: arrived}); got != want {
			t.Errorf("%s: quiet %v, want %v", s.Name, got, want)
		}
	}
}

func TestPrefilterLeavesUnusualRecordsToDecoder(t *testing.T) {
	f := filter(conditions(t, `event.kind in ["a", "b"]`, `event.o.n > 5`, `event.list[0] == 1`, `event.kind == "d" and event.o.n == nil`, `any([event.whole], .n == 6)`))
	for name, value := range map[string]string{
		"compact":                    `{"kind":"c","o":{"n":5},"timestamp":"2026-11-30T11:59:59.123456Z"}`,
		"with spaces":                " {\r\n\t\"kind\" : \"c\" , \"o\" : { \"n\" : 5 } , \"l\" : [ 1 , [ ] , { } ] } ",
		"empty":                      `{}`,
		"all kinds":                  `{"x":[true,false,null,-0.5e+10,"",{"a":[[]]}],"kind":null,"o":[]}`,
		"text beyond ASCII":          `{"kind":"é","x":"日本"}`,
		"escapes in other members":   `{"x":"\"\\\/\b\f\n\r\t\u00E9\ud83d","y":{"\u0061":1}}`,
		"other members twice":        `{"x":1,"x":2,"y":{"a":1,"a":2}}`,
		"the deepest nesting":        `{"x":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`,
		"no time in the first path":  `{"occurred_at":null,"timestamp":1795444265}`,
		"a time in another zone":     `{"occurred_at":"2026-11-30T23:59:59+14:00"}`,
		"a time without a zone":      `{"occurred_at":"2026-11-30T11:59:59"}`,
		"a large record":             `{"x":"` + strings.Repeat("x", 60<<10) + `"}`,
		"a large number":             `{"o":{"n":-1e99}}`,
		"a value below another kind": `{"o":7,"kind":false}`,
		"a list that is read":        `{"list":[2,{"a":[1,"\u0061"],"a":null}]}`,
		"an object that is read":     `{"whole":{"n":1},"list":[[]]}`,
		"the largest list":           `{"list":[0` + strings.Repeat(",1", 1023) + `]}`,
	} {
		if !f.check(t, record(value)) {
			t.Errorf("%s: not quiet", name)
		}
	}
	for name, value := range map[string]string{
		"a match":                  `{"kind":"a"}`,
		"a match of another rule":  `{"o":{"n":6}}`,
		"a date as the time":       `{"occurred_at":"2026-11-30"}`,
		"a date as a number":       `{"occurred_at":20261130}`,
		"an escape in a text":      `{"kind":"\u0061"}`,
		"an escape in a name":      `{"\u006bind":"a"}`,
		"an escape in a path":      `{"o":{"\u006e":6}}`,
		"a member twice":           `{"kind":"c","kind":"a"}`,
		"a member of a path twice": `{"o":{},"o":{"n":6}}`,
		"an object twice":          `{"kind":"d","o":{"n":1},"o":{}}`,
		"a list that matches":      `{"list":[1]}`,
		"an object that matches":   `{"whole":{"n":6}}`,
		"too large a list":         `{"list":[0` + strings.Repeat(",1", 1024) + `]}`,
		"a NaN in a list":          `{"list":[NaN]}`,
		"NaN":                      `{"x":NaN}`,
		"Infinity":                 `{"x":[-Infinity]}`,
		"encoded twice":            `"{}"`,
		"an array":                 `[{}]`,
		"a mark":                   "\ufeff{}",
		"gzip":                     "\x1f\x8b{}",
		"a frame":                  "\x00\x00\x00\x00\x01{}",
		"nothing":                  ``,
		"truncated":                `{"x":"`,
		"truncated in an escape":   `{"x":"\u00"}`,
		"an unknown escape":        `{"x":"\x00"}`,
		"a control character":      "{\"x\":\"123456789\n\"}",
		"trailing bytes":           `{}{}`,
		"a comma too many":         `{"x":1,}`,
		"a leading zero":           `{"x":01}`,
		"no digit":                 `{"x":-}`,
		"no fraction":              `{"x":1.}`,
		"no exponent":              `{"x":1e}`,
		"a long word":              `{"x":nulll}`,
		"not UTF-8":                "{\"x\":\"\xff\"}",
		"nested too deep":          `{"x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`,
		"a time long ago":          `{"timestamp":"1970-01-01T00:00:01Z","occurred_at":""}`,
		"a time ahead":             `{"occurred_at":"2026-12-01T12:00:00.000001Z"}`,
		"a second before 1990":     `{"occurred_at":631151999}`,
		"eleven years ago":         `{"occurred_at":"2015-11-30T11:59:59Z"}`,
		"a time in no form":        `{"occurred_at":"soon"}`,
		"a time in an array":       `{"occurred_at":[2026,11,30,11,59]}`,
		"an id that is an object":  `{"event_id":{}}`,
		"an empty type":            `{"event_type":" "}`,
		"the largest float":        `{"x":1.7976931348623157e+308}`,
		"too large":                `{"x":"` + strings.Repeat("x", 64<<10) + `"}`,
	} {
		if f.check(t, record(value)) {
			t.Errorf("%s: quiet", name)
		}
	}
	old := record(`{}`)
	if old.Time = time.Unix(0, 0); f.check(t, old) {
		t.Error("an implausible record timestamp: quiet")
	}
}

// TestPrefilterFollowsTheLanguage compares with Match on every kind of value.
func TestPrefilterFollowsTheLanguage(t *testing.T) {
	values := []string{
		`null`, `true`, `false`, `"a"`, `"b"`, `""`, `"7"`, `"007"`, `"7.0"`, `" 7 "`, `"nan"`, `7`, `7.0`, `-0`, `4`, `4.000001`, `"4"`, `1e999`, `"1e999"`,
		`9007199254740992`, `9007199254740993`, `"9007199254740993"`, `9007199254740993.0`, `"12,000.50"`, `"12.000,50"`, `"(7)"`, `"7 USDT"`, `"8 EUR"`, `0.1`, `"0.10"`, `[]`, `["a"]`, `{}`, `{"b":7}`, `{"b":"a"}`,
	}
	for when, decided := range map[string]bool{
		`event.a == "a"`: true, `event.a == "7"`: true, `event.a == 7`: true, `event.a == nil and event.b == 1`: true, `event.a == 9007199254740993`: true, `event.a in vars.ids`: true,
		`event.a in ["7", "b"] or event.a == "a"`: true, `event.a in [7, nil, true] and event.b != nil`: true, `"a" == event.a`: true, `event.a in []`: true,
		`event.a < 7`: true, `event.a <= 7`: true, `event.a > vars.limit`: true, `event.a >= "7"`: true, `vars.limit > event.a`: true, `event.a < "a"`: true,
		`event.a.b >= 7 or event.a.b == "a"`: true, `event.a contains "7"`: true, `event.a matches "^[ab]$"`: true, `event.a * 2 > 8`: true, `event.a / 0 > 1`: true, `event.a + "/" + event.b == "a/2"`: true, `event.a < "8 USDT" and event.a != null`: true, `event.a == "9007199254740993" or event.a > 9007199254740992`: true, `has(event.a) and event.a not in ["a"]`: true,
		`event.a == vars.name and event.b > 1 or event.a == "b"`: true, `any(event.a, # == "a")`: true, `event.a[0] == "a"`: true, `ce.id != nil or event.a == true`: true,
		`event.a == nil`: false, `event.a != "a"`: false, `meta.type == "a"`: false, `len(event) > 1`: false, `true`: false,
		`event.a == "a" and meta.topic == "t"`: true, `event.a == "a" and any(event.l, # == 1)`: true,
	} {
		f := filter(conditions(t, when))
		quiet := 0
		for _, v := range values {
			for _, doc := range []string{`{"a":` + v + `}`, `{"b":2,"a":` + v + `}`, `{"b":` + v + `}`} {
				if f.check(t, record(doc)) {
					quiet++
				}
			}
		}
		if (quiet > 0) != decided {
			t.Errorf("%s: %d quiet records", when, quiet)
		}
	}
}

// TestPrefilterCountsTheStepsOfAllRules: what an index saves counts.
func TestPrefilterCountsTheStepsOfAllRules(t *testing.T) {
	when := make([]string, 2000)
	for i := range when {
		when[i] = fmt.Sprintf(`event.x in ["a%d", "b%d"] and event.y > %d`, i, i, i)
	}
	f := filter(conditions(t, when...))
	if !f.check(t, record(`{"x":"a2000"}`)) {
		t.Error("a small event is not quiet")
	}
	if f.check(t, record(`{"x":"`+strings.Repeat("a", 60<<10)+`"}`)) {
		t.Error("an event that may exceed the step limit is quiet")
	}
}

// FuzzPrefilterAgreesWithDecoder: what the prefilter calls quiet is an event
// without a repair, an error or an alert.
func FuzzPrefilterAgreesWithDecoder(f *testing.F) {
	for _, s := range configs.Samples() {
		f.Add(s.Data, int64(0))
	}
	for _, s := range []string{
		execution, `{"kind":"\u0061","kind":"a"}`, `{"o":{"n":6},"o":{"n":NaN}}`, `{"id":9007199254740993,"price":"0.10"}`, `"{\"kind\":\"a\"}"`, `{"timestamp":1795444265,"kind":null}`,
		`{"occurred_at":"2026-11-30 12:00:00","n":[1,-0,1e5],"mode":"live"}`, "\xef\xbb\xbf{}", "\x00\x00\x00\x00\x01{}",
	} {
		f.Add([]byte(s), arrived.Unix())
	}
	var all []filtered
	for _, when := range [][]string{
		{`event.kind in ["a", "b"]`, `event.kind == "7" and event.mode != "paper"`, `event.o.n > 5`},
		{`event.id == 9007199254740993`, `event.price < "0.2" and event.price / event.qty > 0`, `event.account + "/" + event.symbol == "A/B"`, `event.side == "buy" and event.qty * event.price > 100`},
		{`event.event_type in ["order.filled", "margin.call"] and event.notional >= 50000`, `event.reconciliation == true`, `event.symbol startsWith "A" and event.o == nil and event.side != nil`},
		{`any(event.positions, .weight > 0.1)`, `event.metrics.trades >= 30 or event.drawdown > 0.05`, `event.list[0] == 1`, `event.status matches "^[A-Z]+$"`},
	} {
		all = append(all, filter(conditions(f, when...)))
	}
	all = append(all, filter(defaults(f)))
	f.Fuzz(func(t *testing.T, value []byte, recorded int64) {
		for _, name := range topics.All() {
			rec := event.Record{Topic: string(name), Value: value, Arrived: arrived}
			if recorded != 0 {
				rec.Time = time.Unix(recorded, 0)
			}
			for _, f := range all {
				f.check(t, rec)
				f.checkKnown(t, rec)
			}
		}
	})
}
