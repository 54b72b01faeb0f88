package expr

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/expr/exprtest"
)

const sampleDoc = `{"type":"order.filled","n":5,"s":"5","t":"abc","id":"007","big":9007199254740993,"beyond":1e999,"wei":12345678901234567890,"usdt":"-10000.01000000 USDT","grouped":"12,000.50","loss":"(12000.50)","price":"0.10","neg":-2.5,
 "nothing":null,"yes":true,"no":false,"at":"2026-11-23T14:31:05Z","list":[1,"2",null,3.5],"empty":[],"words":["a","b"],
 "positions":[{"symbol":"AAPL","weight":0.2},{"symbol":"MSFT","weight":"0.1"},{"symbol":"NVDA"}],"o":{"a":1,"b":{"c":"deep"}}}`

func onSample(t *testing.T) *Scope {
	t.Helper()
	e, err := event.NewDecoder(nil, nil, nil).Decode(event.Record{
		Topic: "trade-executions", Partition: 3, Offset: 7, Key: []byte("ses-1"), Value: []byte(sampleDoc),
		Headers: []event.Header{{Name: "h", Value: []byte("one")}, {Name: "h", Value: []byte("two")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &Scope{Event: &e, Now: time.Date(2026, 11, 23, 14, 33, 5, 0, time.UTC)}
}

func newYork(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func testCompiler(t *testing.T) *Compiler {
	t.Helper()
	return &Compiler{Zone: newYork(t), Vars: event.ObjectValue([]event.Value{event.Member("limit", event.NumberValue(4)), event.Member("name", event.StringValue("abc"))})}
}

func TestConditionsFollowTheDocumentation(t *testing.T) {
	for source, want := range map[string]bool{
		// Missing equals null; anything but true is false.
		`event.reconciliation != true`: true, `event.x == nil`: true, `event.nothing == nil`: true, `event.x == event.y`: true,
		`event.x`: false, `event.n`: false, `event.yes`: true, `not event.x`: true, `event.x and true`: false, `event.t or event.yes`: true,
		`event.x in ["a"]`: false, `event.x not in ["a"]`: true, `event.o.x.y.z == nil`: true, `event.t.x == nil`: true,
		// An ordering with missing or another type is false.
		`event.x > 5`: false, `event.x <= 5`: false, `not (event.x > 5)`: true, `event.o > 1`: false, `event.yes > 0`: false, `event.list < 1`: false,
		`event.t > 1`: false, `1 < event.t`: false,
		// Numbers and texts.
		`event.n == 5`: true, `event.s == 5`: true, `5 == event.s`: true, `event.s == "5"`: true, `event.s == "5.0"`: false, `event.price == 0.1`: true,
		`event.id == "7"`: false, `event.id == 7`: true, `event.s < "10"`: true, `event.t < "abd"`: true, `event.price < "0.2"`: true,
		`event.big == 9007199254740993`: true, `event.big == 9007199254740992`: false, `event.neg < 0`: true, `"inf" > 1`: false, `"0x10" == 16`: false,
		// Arithmetic on a non-number is NaN; NaN compares false.
		`event.n + 1 == 6`: true, `event.s * 2 == 10`: true, `event.x + 1 > 0`: false, `event.x + 1 <= 0`: false, `event.n % 3 == 2`: true,
		`event.t - 1 == event.t - 1`: false, `-event.n == -5`: true, `+event.s == 5`: true,
		// What is not finite is no number.
		`event.n / 0 > 1`: false, `-event.n / 0 < 1`: false, `event.n % 0 < 1`: false, `-0.02 > event.neg / "0"`: false, `bps(101, "0") > 1`: false, `bps(0, 0) != nil`: false, `bps(0, 0) == nil`: true, `event.n / 0 != 1`: false, `1 != event.n / 0`: false, `event.n / 0 == event.n / 0`: false, `((event.n / 0) ?? 7) == 7`: true, `has(event.n / 0)`: false, `((event.x * 2) ?? 7) == 7`: true,
		`event.beyond > 5`: false, `event.beyond == event.beyond`: false, `"1e999" > 5`: false, `"1.7976931348623157e+308" > 5`: false, `event.beyond in [1e308]`: false, `1e308 * 10 > 1`: false, `sum([1e308, 1e308]) > 1`: false, `max(event.beyond, 1) > 0`: false,
		// Whole numbers beyond 2^53 compare exactly.
		`num("9007199254740993") == 9007199254740993`: true, `num("9007199254740993") == 9007199254740992`: false, `num(event.big) > 9007199254740992`: true, `-event.big < -9007199254740992`: true, `abs("-9007199254740993") == event.big`: true,
		`max(9007199254740992, event.big) == "9007199254740993"`: true, `min(event.big, 9007199254740992) == event.big`: false, `max(event.big, event.x) == nil`: true, `num("9,007,199,254,740,993") > "9,007,199,254,740,992"`: true,
		`"9,007,199,254,740,993 USD" > "9,007,199,254,740,992 USD"`: true, `"9007199254740993.00" > 9007199254740992`: true, `event.big == "9007199254740993.0"`: true, `"9007199254740993.0" == 9007199254740992`: false,
		`event.big == "9007199254740993"`: true, `event.big == "9007199254740992"`: false, `"9007199254740992" == 9007199254740993`: false, `event.big > "9007199254740992"`: true, `event.big <= "9007199254740992"`: false,
		`"-9007199254740993" < -9007199254740992`: true, `"1000000000000000000001" > "1000000000000000000000"`: true, `event.wei == "12345678901234567890"`: true, `event.wei < "12345678901234567891"`: true, `"01000000000000000000000" >= "1000000000000000000001"`: false, `event.big in ["9007199254740992", "a"]`: false,
		// Amounts with a currency, thousands and parentheses; a comma is no decimal mark.
		`"12.000,50" < 100`: false, `"12.000,50 EUR" < 100`: false, `"1.000,50" > 0`: false, `"1,000.5,0" > 0`: false, `".5" > 0`: true, `"1,000.5" > 1000`: true,
		`event.usdt < -10000`: true, `event.usdt == -10000.01`: true, `num(event.usdt) + 1 < 0`: true, `event.grouped >= 12000.5`: true, `event.grouped > "9"`: true, `event.loss == -12000.5`: true, `"(1,234,567.5) USD" < -1234567`: true,
		`"12,000" == 12000`: true, `"0,125" > 0`: false, `"1,2e4" > 0`: false, `"1,234e1" == 12340`: false, `"1,234.5e1" == 12345`: true, `"12,5" > 0`: false, `"1,2345" > 0`: false, `",5" > 0`: false, `"-(5)" < 0`: false, `"(-5)" < 0`: false, `"()" < 1`: false, `"5 usd" > 1`: false, `"USD" > 1`: false, `"5 U" > 1`: false, `"5  USD" > 1`: false,
		`"5 USD" < "6 EUR"`: false, `"5 USD" >= "6 EUR"`: false, `"5 USD" < "6 USD"`: true, `"5 USD" < "6"`: true,
		// + joins texts that are no numbers.
		`event.t + "/" + event.id == "abc/007"`: true, `event.id + "." + event.s == "007.5"`: true, `event.s + event.s == 10`: true, `event.t + event.t == "abcabc"`: true, `"" + event.s + event.s == "55"`: true, `event.n + ":" + event.t == "5:abc"`: true,
		`event.t + event.n > 0`: false, `event.x + "/" + event.t == nil`: true, `event.t + vars.name == "abcabc"`: true, `"q" + event.n / 0 == nil`: true, `upper(event.t) + event.s == "ABC5"`: true, `event.yes + 1 > 0`: false,
		// null is nil.
		`event.x == null`: true, `event.n == null`: false, `event.x in [null]`: true, `(event.x ?? null) == nil`: true, `event.null == nil`: true,
		// Texts.
		`event.t contains "b"`: true, `event.t startsWith "ab"`: true, `event.t endsWith "x"`: false, `event.n contains "5"`: false, `event.t matches "^a.c$"`: true, `event.n matches "5"`: false,
		`event.t not contains "z"`: true, `event.x startsWith "a"`: false,
		// Lists and objects.
		`2 in event.list`: true, `"2" in event.list`: true, `nil in event.list`: true, `4 in event.list`: false, `"a" in event.o`: true, `"z" in event.o`: false, `1 in event.n`: false,
		`any(event.positions, .weight > 0.15)`: true, `all(event.positions, .symbol != nil)`: true, `none(event.positions, .weight > 1)`: true,
		`count(event.positions, .weight >= 0.1) == 2`: true, `count(event.list) == 0`: true, `any(event.x, true)`: false, `all(event.x, false)`: true, `none(event.n, true)`: true,
		`len(filter(event.positions, .weight != nil)) == 2`: true, `sum(event.words) == 1`: false, `sum(filter(event.list, num(#) > 0)) == 6.5`: true, `sum(event.empty) == 0`: true,
		`any(event.positions, any(event.words, # == "b") and .symbol == "MSFT")`: true, `map(event.positions, .symbol) == ["AAPL","MSFT","NVDA"]`: true,
		`event.list[0] == 1`: true, `event.list[-1] == 3.5`: true, `event.list[9] == nil`: true, `event.list["a"] == nil`: true, `event.o["a"] == 1`: true, `event.o[event.words[0]] == 1`: true,
		`event["n"] == 5`: true, `event?.o?.b?.c == "deep"`: true, `[1, event.n] == [1, 5]`: true, `event.o == event.o`: true, `event.o == event.list`: false,
		// Functions.
		`num(event.price) == 0.1`: true, `num(event.x) > 0`: false, `abs(event.neg) == 2.5`: true, `abs(event.x) > 0`: false, `len(event.t) == 3`: true, `len(event.x) == 0`: true,
		`min(3, event.n, 4) == 3`: true, `max(event.list) > 0`: false, `max([1, 7]) == 7`: true, `min(event.empty) < 9`: false, `lower("ABC") == event.t`: true, `upper(event.x) == nil`: true,
		`trim(" a ") == "a"`: true, `has(event.x)`: false, `has(event.nothing)`: false, `has(event.no)`: true, `age(event.at) == 120`: true, `age(event.x) < 60`: false,
		`bps(101, 100) > 99.9 and bps(101, 100) < 100.1`: true, `event.n > 3 ? event.yes : event.no`: true, `(event.x ?? 7) == 7`: true, `(event.n ?? 7) == 5`: true,
		`join(event.words, "+") == "a+b"`: true, `join(event.x) == ""`: true,
		// meta, ce and vars.
		`vars.limit < event.n`: true, `event.t == vars.name`: true, `meta.topic == "trade-executions"`: true, `meta.partition == 3 and meta.offset == 7`: true, `meta.key == "ses-1"`: true,
		`meta.headers.h == "two"`: true, `meta.headers.x == nil`: true, `meta.id == nil and meta.type == nil`: true, `meta.schema_id == nil`: true, `ce.id == nil`: true, `event.list[len(event.list) - 1] == 3.5`: true,
	} {
		c := testCompiler(t)
		e := c.Compile(source)
		for _, p := range c.Problems {
			if !p.Warning {
				t.Errorf("%s: %s", source, p.Message)
			}
		}
		s := onSample(t)
		if got := e.Test(s); got != want {
			t.Errorf("%s is %v, want %v", source, got, want)
		}
		if len(s.Elements) != 0 {
			t.Errorf("%s leaves elements in the scope", source)
		}
	}
}

func TestTemplatesPrintValuesAsSent(t *testing.T) {
	for source, want := range map[string]string{
		`{{ money(num("9007199254740993")) }}`: "9,007,199,254,740,993.00", `{{ money(abs("(9,007,199,254,740,993.07)")) }}`: "9,007,199,254,740,993.07", `{{ qty(max(event.big, 5)) }}`: "9,007,199,254,740,993", `{{ -event.big }} {{ num("+5.10") }} {{ -event.neg }}`: "-9007199254740993 5.10 2.5",
		`{{ event.price }}`: "0.10", `{{ event.big }}`: "9007199254740993", `{{ event.x }}`: "–", `{{ event.nothing }}`: "–", `{{ event.yes }}`: "true",
		`{{ event.list }}`: "1, 2, –, 3.5", `{{ event.o }}`: "a 1, b c deep", `{{ event.n / 0 }}`: "–", `{{ bps(event.n, 0) }}`: "–", `{{ 1e308 * 10 }}`: "–", `{{ pct(1e307) }}`: "–", `{{ event.beyond }}`: "1e999", `{{ num(event.beyond) }}`: "–", `{{ join([event.n / 0]) }}`: "–", `{{ event.x * 2 }}`: "–", `{{ event.n * 2 }}`: "10",
		`a {{event.t}} b {{ event.n }}`: "a abc b 5", `no hole`: "no hole", ``: "", `{{ "}" }}`: "}",
		`{{ money("1034210.5") }}`: "1,034,210.50", `{{ money(-1234.567) }}`: "-1,234.567", `{{ money(event.x) }}`: "–", `{{ money("999") }}`: "999.00", `{{ money(1e3) }}`: "1,000.00", `{{ money("x") }}`: "–", `{{ money("0012000") }}`: "12,000.00", `{{ money(event.wei) }}`: "12,345,678,901,234,567,890.00", `{{ money("-000.50") }}`: "-0.50",
		`{{ money(event.usdt) }}`: "-10,000.01000000 USDT", `{{ money(event.grouped) }}`: "12,000.50", `{{ money(event.loss) }}`: "-12,000.50", `{{ qty("1,500 BTC") }}`: "1,500 BTC", `{{ money(1e300) }}`: "–", `{{ money(event.beyond) }}`: "–",
		`{{ event.t + "/" + event.n }}`: "abc/5", `{{ event.t + "/" + event.x }}`: "–", `{{ event.x + "/" }}`: "–",
		`{{ qty("1200") }}`: "1,200", `{{ qty(0.5000) }}`: "0.5", `{{ qty("1234567.10") }}`: "1,234,567.1", `{{ pct(0.081) }}`: "8.1 %", `{{ pct(0.05) }}`: "5 %", `{{ pct(0.0004) }}`: "0.04 %",
		`{{ pct(-0.0111) }}`: "-1.1 %", `{{ pct(event.x) }}`: "–", `{{ pct(0) }}`: "0 %", `{{ pct(-0.00000001) }}`: "0 %", `{{ ago(event.at) }}`: "2 m ago", `{{ ago(event.t) }}`: "–",
		`{{ clock(event.at, "15:04 MST") }}`: "09:31 EST", `{{ clock(event.at) }}`: "09:31:05 EST", `{{ clock(event.x) }}`: "–",
	} {
		c := testCompiler(t)
		tmpl := c.Text(source)
		if len(c.Problems) > 0 {
			t.Errorf("%s: %+v", source, c.Problems)
		}
		if got := tmpl.Of(onSample(t)).String(); got != want {
			t.Errorf("%s is %q, want %q", source, got, want)
		}
	}
}

func TestWordsOfOtherLanguagesAreNamed(t *testing.T) {
	for source, want := range map[string]string{"event.x == None": "unknown name None: write nil", "event.x == undefined": "unknown name undefined: write nil", "True": "unknown name True: write true", "event.x AND event.y": `unexpected "AND": write and`, "event.x > 10m": "durations are numbers of seconds: write 600 for 10m", "event.x > 7d": "durations are numbers of seconds: write 604800 for 7d", "no": "unknown name no: write false"} {
		c := testCompiler(t)
		c.Compile(source)
		if len(c.Problems) != 1 || c.Problems[0].Message != want {
			t.Errorf("%s: %+v", source, c.Problems)
		}
	}
}

func TestTemplateMarksValuesButNotLiterals(t *testing.T) {
	parts := testCompiler(t).Text(`<b>{{ "<i>" }}`).Of(onSample(t))
	if len(parts) != 2 || parts[0].Value || !parts[1].Value {
		t.Errorf("%+v", parts)
	}
}

// TestEveryExpressionIsTotal draws expressions and evaluates them on arbitrary JSON: all
// compile and none panics.
func TestEveryExpressionIsTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source := exprtest.Expression(4, false).Draw(t, "expression")
		c := &Compiler{Zone: time.UTC, Vars: event.ObjectValue([]event.Value{event.Member("limit", event.NumberValue(4))})}
		e := c.Compile(source)
		for _, p := range c.Problems {
			if strings.HasPrefix(p.Message, "vars.") {
				t.Skip("reads a variable that is not defined, which is found at load")
			}
			if !p.Warning {
				t.Fatalf("%s: %s", source, p.Message)
			}
		}
		s := &Scope{Event: &event.Event{Doc: exprtest.Value(3).Draw(t, "document"), CE: exprtest.Value(1).Draw(t, "ce")}, Now: time.Unix(1795444265, 0)}
		v := e.Eval(s)
		if v.Kind() > event.Object {
			t.Fatalf("%s returns kind %d", source, v.Kind())
		}
		if e.Test(s) != v.Bool() {
			t.Fatalf("%s: as a condition it differs from its value", source)
		}
		_ = calc.Display(v)
	})
}

func TestEveryFunctionIsDrawn(t *testing.T) {
	names := slices.Sorted(maps.Keys(exprtest.Functions))
	if !slices.Equal(names, functionNames()) {
		t.Errorf("the generator calls %q, the functions are %q", names, functionNames())
	}
	for name, n := range exprtest.Functions {
		f, ok := functions[name]
		if ok && n != max(f.min, f.max) || !ok && n != exprtest.OverList {
			t.Errorf("%s is drawn with %d arguments", name, n)
		}
	}
}
