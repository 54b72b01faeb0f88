package trace

import (
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr"
)

func traced(t *testing.T, source string, limit int) Part {
	t.Helper()
	c := &expr.Compiler{}
	e := c.Compile(source)
	if len(c.Problems) > 0 {
		t.Fatal(c.Problems)
	}
	doc := event.ObjectValue([]event.Value{
		event.Member("n", event.NumberValue(5)), event.Member("t", event.StringValue("abc")), event.Member("list", event.ArrayValue(make([]event.Value, 100))),
	})
	tracer := &Tracer{Limit: limit, Event: &event.Event{Doc: doc}, Hint: func(path []string) string { return "hint for " + strings.Join(path, ".") }}
	return tracer.Trace(&e)
}

func TestDecisivePartsSayWhatTheyRead(t *testing.T) {
	for source, want := range map[string]string{
		`event.n > 3 and event.t == "x" and event.n > 9`: `event.t == "x", where event.t is "abc"`,
		`event.n > 7 or (event.t == "x")`:                `event.n > 7, where event.n is 5; event.t == "x", where event.t is "abc"`,
		`event.n > 3`:                                    "",
	} {
		p := traced(t, source, 1000)
		var parts []string
		for _, d := range p.Decisive() {
			parts = append(parts, d.Text+d.Reads())
		}
		if got := strings.Join(parts, "; "); got != want || p.True != (want == "") {
			t.Errorf("%s: true %v, decided by %s, want %s", source, p.True, got, want)
		}
	}
}

func TestMissingPathGetsHint(t *testing.T) {
	p := traced(t, `event.o.x == 1`, 1000)
	if len(p.Values) != 1 || p.Values[0].String() != "event.o.x is missing (hint for o.x)" {
		t.Errorf("%+v", p.Values)
	}
}

func TestExpensivePartIsNoted(t *testing.T) {
	p := traced(t, `any(event.list, # == 1)`, 50)
	if p.True || !strings.Contains(p.Note, "more steps") {
		t.Errorf("%+v", p)
	}
}
