package rule_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/eventschema"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/topics"
)

// shape returns what a schema says of trade executions.
func shape(t testing.TB, text string, strict bool) map[topics.Name]rule.Shape {
	t.Helper()
	s, faults := eventschema.Load("s.json", func(string) ([]byte, error) { return []byte(text), nil })
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return map[topics.Name]rule.Shape{topics.TradeExecutions: {Schema: s, Strict: strict}}
}

// own is a producer's own sample.
func own(t testing.TB, doc string) []rule.Sample {
	t.Helper()
	e, err := event.NewDecoder(nil, nil, nil).Decode(record(doc))
	if err != nil {
		t.Fatal(err)
	}
	return []rule.Sample{{Name: "own", Event: e}}
}

func compileWhen(when string, env rule.Environment) (*rule.Set, string) {
	file := fmt.Sprintf("version: 1\nrules:\n  - {name: r, topic: trade-executions, to: [desk], title: t, when: %q}\n", when)
	set, faults := rule.Compile("rules.yaml", []byte(file), env)
	return set, strings.ReplaceAll(faults.Error(), "rules[0].when: ", "")
}

const tradeShape = `{"properties": {
	"event_type": {"enum": ["order.filled", "order.rejected"]}, "side": {"enum": ["buy", "sell", null]}, "note": {"type": "string"},
	"qty": {"type": ["number", "string"], "pattern": "^[0-9.]+$"}, "flag": {"type": "boolean"}, "count": {"type": "integer"}, "any": {},
	"legs": {"type": "array", "items": {"type": "object", "properties": {"px": {"type": "number"}}}}, "error": {"type": "object", "properties": {"code": {"type": "string"}}}
}}`

func TestSchemaFeedsChecksOfRules(t *testing.T) {
	env := rule.Environment{Samples: own(t, `{"event_type":"order.filled","price":"1.50"}`), Shapes: shape(t, tradeShape, false)}
	for _, c := range []struct{ when, want string }{
		{`event.event_type == "order.rejected"`, ""}, // in no sample
		{`event.qty > 5 and event.price > 1`, ""},
		{`event.note > 5 or event.note > "a" or age(event.note) > 5`, ""},
		{`event.any > 5 or event.any == "a" or event.any`, ""},
		{`event.flag and event.error.code == "x" and any(event.legs, .px > 1)`, ""},
		{`event.side in ["buy", "sell"] and event.side != nil`, ""},
		{`event.event_type == "order.filed"`, `warning: "order.filed" is none of the values of event.event_type in the schema: did you mean "order.filled"?`},
		{`event.side == "short"`, `warning: "short" is none of the values of event.side in the schema: buy, sell`},
		{`event.sid == "buy"`, `warning: event.sid is in no sample and not in the schema: did you mean side?`},
		{`event.quantity_ordered > 5`, `warning: event.quantity_ordered is in no sample and not in the schema of trade-executions`},
		{`event.error.message == "x"`, `warning: event.error.message is in no sample and not in the schema of trade-executions`},
		{`any(event.legs, .price > 1)`, `warning: .price is in no sample and not in the schema of trade-executions`},
		{`event.flag > 5`, `warning: event.flag > 5 is always false: event.flag is a boolean in the schema, and 5 is a number`},
		{`event.flag == "yes"`, `warning: event.flag == "yes" is always false: event.flag is a boolean in the schema`},
		{`event.legs > 5`, `event.legs is a list in the schema`},
		{`sum(event.qty) > 5`, `sum() takes a list: event.qty is`},
		{`event.count`, `warning: event.count is never true: event.count is a number in the schema; compare it, such as event.count > 0`},
		{`event.note.x == 1`, `event.note is a text in the schema: it has no member x`},
	} {
		set, got := compileWhen(c.when, env)
		if set == nil || !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%s: got %q, want %q", c.when, got, c.want)
		}
	}
}

func TestStrictTypesMakeFaultsErrors(t *testing.T) {
	samples := own(t, `{"event_type":"order.filled","price":"1.50","tags":["a"]}`)
	strict := map[string]map[topics.Name]rule.Shape{
		"samples": {topics.TradeExecutions: {Strict: true}},
		"schema":  shape(t, `{"properties": {"event_type": {"type": "string"}, "price": {"type": "string"}, "tags": {"type": "array"}}}`, true),
	}
	for name, shapes := range strict {
		env := rule.Environment{Samples: samples, Shapes: shapes}
		for when, isError := range map[string]bool{
			`event.price > 1`:                     false,
			`event.event_type == "order.filled"`:  false,
			`event.prise > 1`:                     true,
			`event.tags > 1`:                      true,
			`lower(event.tags) == "a"`:            true,
			`event.event_type == "ORDER.FILLED"`:  true,
			`event.tags`:                          true,
			`not (event.price > 1)`:               false,
			`event.price > 1 and event.price < 0`: false, // a warning, whatever the types are
		} {
			set, got := compileWhen(when, env)
			if (set == nil) != isError || isError && strings.Contains(got, "warning") {
				t.Errorf("%s, %s: got %q", name, when, got)
			}
		}
		if set, got := compileWhen(`event.prise > 1`, rule.Environment{Samples: samples}); set == nil || !strings.Contains(got, "warning") {
			t.Errorf("without strict: got %q", got)
		}
	}
}

// TestShippedRulesFitShippedSchemas: strict types find no fault in them.
func TestShippedRulesFitShippedSchemas(t *testing.T) {
	shapes := make(map[topics.Name]rule.Shape)
	for _, topic := range topics.All() {
		s, faults := eventschema.Load("../../configs/schemas/"+string(topic)+".json", os.ReadFile)
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		shapes[topic] = rule.Shape{Schema: s, Strict: true}
	}
	for name, list := range map[string][]rule.Sample{"with samples": samples(t), "without": nil} {
		set, faults := rule.Compile("rules.yaml", configs.Rules, rule.Environment{Samples: list, Shapes: shapes})
		if set == nil || len(faults) > 0 {
			t.Errorf("%s: %v", name, faults)
		}
	}
}

// TestSchemaKeepsPrefilterSound: what is quiet violates no schema, and quiet events of
// the shipped schema stay quiet.
func TestSchemaKeepsPrefilterSound(t *testing.T) {
	s, faults := eventschema.Load("../../configs/schemas/trade-executions.json", os.ReadFile)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	set := defaults(t)
	for _, reject := range []bool{false, true} {
		d := event.NewDecoder(nil, nil, nil).Checking(map[string]event.Check{"trade-executions": {Schema: s, Reject: reject}}).Keeping(set.Reads())
		f := filtered{set, d, set.Prefilter(d)}
		for doc, quiet := range map[string]bool{
			`{"event_id":"e","event_type":"order.accepted","occurred_at":"2026-11-30T11:59:58Z","order_qty":"5","own":[1]}`: true,
			`{"event_id":"e","event_type":"order.accepted","occurred_at":"2026-11-30T11:59:58Z","order_qty":true}`:          false,
			`{"event_id":"e","event_type":"order.accepted"}`:                                                                false,
			`{"event_id":"e","event_type":"order.acepted","occurred_at":"2026-11-30T11:59:58Z"}`:                            false,
		} {
			if got := f.prefilter.Quiet(record(doc), arrived, nil); got != quiet {
				t.Errorf("%s: quiet %v, want %v", doc, got, quiet)
			}
			e, err := d.Decode(record(doc))
			if violates := err != nil || e.Violation != nil; violates == quiet {
				t.Errorf("%s: violates %v", doc, violates)
			}
		}
	}
}
