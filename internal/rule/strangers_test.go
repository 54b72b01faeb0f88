package rule_test

import (
	"slices"
	"testing"
)

// TestUnknownFieldsWithoutOwnSamplesAreOneWarning: they may be those of the producers.
func TestUnknownFieldsWithoutOwnSamplesAreOneWarning(t *testing.T) {
	builtIn := samples(t)
	for i := range builtIn {
		builtIn[i].BuiltIn = true
	}
	const remedy = "; if your producers send other events, name samples of them in notifier.yaml: samples: { trade-executions: [samples/] }"
	for when, want := range map[string]string{
		`event.px > 5 and event.kind == "fill" and event.clOrdId == "A" and event.orderQty > 1 and event.acct == "x"`: `6 fields of the rules are in no built-in sample of trade-executions: event.orderQty (did you mean order_qty?), event.sym (did you mean symbol?), event.px, event.kind and 2 more` + remedy,
		`event.event_type == "order.filed"`: `1 field and 1 event type of the rules are in no built-in sample of trade-executions: "order.filed" (did you mean "order.filled"?), event.sym (did you mean symbol?)` + remedy,
		`event.sym != nil`:                  `1 field of the rules is in no built-in sample of trade-executions: event.sym (did you mean symbol?)` + remedy,
	} {
		got := warnings(t, "trade-executions", when, "    key: [event.sym]\n    text: '{{ event.sym }}'\n  - {name: s, topic: trade-executions, when: event.sym == 'x', to: [desk], title: x}\n", builtIn)
		if !slices.Equal(got, []string{want}) {
			t.Errorf("%s:\n got %q\nwant %s", when, got, want)
		}
	}
	const ofType = `event.side > 5 is always false: event.side is a text in the built-in samples, such as "buy", and 5 is a number; compare it with a text`
	if got := warnings(t, "trade-executions", `event.side > 5 and event.px > 5`, "", builtIn); len(got) != 2 || got[0] != ofType {
		t.Errorf("a wrong type is not reported by itself: %q", got)
	}
}
