package rule

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr"
	"github.com/algotrade/notifier/internal/expr/exprtest"
	"github.com/algotrade/notifier/internal/topics"
)

// TestCheckOfAnyExpressionIsTotal draws expressions and samples.
func TestCheckOfAnyExpressionIsTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source, use := exprtest.Expression(4, false).Draw(t, "expression"), use(rapid.IntRange(0, int(forText)).Draw(t, "use"))
		sample := func() Sample { return Sample{Name: "s", Event: event.Event{Doc: exprtest.Value(3).Draw(t, "sample")}} }
		b := builder{env: Environment{Samples: []Sample{sample(), sample()}}}
		vars := event.ObjectValue([]event.Value{event.Member("limit", event.NumberValue(4))})
		k := &checker{zone: time.UTC, examples: b.examples([]topics.Name{""}, nil, use), vars: vars}
		c := &expr.Compiler{Zone: time.UTC, Check: k.check, Vars: vars}
		c.Compile(source)
		for _, p := range k.problems {
			if p.Message == "" || !p.Warning || p.At < 0 || p.At > len(source) {
				t.Fatalf("%s: %+v", source, p)
			}
		}
	})
}
