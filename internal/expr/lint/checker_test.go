package lint

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr"
	"github.com/algotrade/notifier/internal/expr/exprtest"
)

// TestCheckOfAnyExpressionIsTotal draws expressions and samples.
func TestCheckOfAnyExpressionIsTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source, use := exprtest.Expression(4, false).Draw(t, "expression"), Use(rapid.IntRange(0, int(ForText)).Draw(t, "use"))
		example := func() Instance {
			return Instance{Name: "s", Scope: &expr.Scope{Event: &event.Event{Doc: exprtest.Value(3).Draw(t, "sample")}}, Live: rapid.Bool().Draw(t, "live")}
		}
		vars := event.ObjectValue([]event.Value{event.Member("limit", event.NumberValue(4))})
		k := &Checker{Zone: time.UTC, Examples: &Examples{Complete: true, List: []Instance{example(), example()}, Use: use}, Vars: vars}
		c := &expr.Compiler{Zone: time.UTC, Check: k.Check, Vars: vars}
		c.Compile(source)
		for _, p := range k.problems {
			if p.Message == "" || !p.Warning || p.At < 0 || p.At > len(source) {
				t.Fatalf("%s: %+v", source, p)
			}
		}
	})
}
