package expr_test

import (
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr"
)

var order = event.ObjectValue([]event.Value{
	event.Member("title", event.StringValue("Rejected")), event.Member("count", event.NumberValue(2)),
	event.Member("fields", event.ArrayValue([]event.Value{event.ObjectValue([]event.Value{event.Member("label", event.StringValue("venue"))})})),
})

func compileOrder(source string) (*expr.Template, error) {
	return expr.CompileTemplate(source, "alert", []string{"title", "count", "fields", "test"})
}

func TestTemplateReadsItsObject(t *testing.T) {
	for source, want := range map[string]string{
		"plain": "plain", "{{ alert.title }}: {{ upper(alert.title) }}": "Rejected: REJECTED", `{{ alert.count > 1 ? "many" : "one" }}`: "many",
		"{{ alert.test }}": "–", `{{ join(map(alert.fields, .label)) }}`: "venue", "{{ alert.fields[0].label }}": "venue",
	} {
		tmpl, err := compileOrder(source)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tmpl.Text(order); err != nil || got.String() != want {
			t.Errorf("%s is %q, %v", source, got.String(), err)
		}
	}
}

func TestTemplateOfOneHoleKeepsType(t *testing.T) {
	tmpl, _ := compileOrder("{{ alert.count + 3 }}")
	if v, ok, err := tmpl.Value(order); !ok || err != nil || v.Kind() != event.Number || v.Float() != 5 {
		t.Errorf("%v %v %v", v, ok, err)
	}
	tmpl, _ = compileOrder("n: {{ alert.count }}")
	if _, ok, _ := tmpl.Value(order); ok {
		t.Error("a text is taken for a value")
	}
}

func TestTemplateFaultsSuggestNames(t *testing.T) {
	for source, want := range map[string]string{
		"{{ alert.titel }}":    "unknown name alert.titel: did you mean alert.title? (character 4)",
		"{{ alert.price }}":    "unknown name alert.price; alert has title, count, fields, test",
		"{{ event.symbol }}":   "unknown name event: the expressions here read alert, such as alert.title",
		"ü {{ alrt.title }}":   "unknown name alrt: did you mean alert? (character 6)",
		"{{ alert.title":       "the hole {{ is not closed with }}",
		"{{ uper('a') }}":      "unknown function uper(): did you mean upper()?",
		"{{ alert.title = 1}}": "use == to compare, not =",
	} {
		if _, err := compileOrder(source); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", source, err, want)
		}
	}
}

func TestTemplateIsBounded(t *testing.T) {
	long := strings.Repeat("a, ", 500_000)
	object := event.ObjectValue([]event.Value{event.Member("title", event.StringValue(long))})
	tmpl, err := compileOrder(strings.Repeat("{{ upper(alert.title) }}", 50))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tmpl.Text(object); err != expr.ErrBudget {
		t.Errorf("the error is %v", err)
	}
}
