package rule

import (
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/exprtest"
)

// TestPrefilterAgreesWithMatch on any condition and document.
func TestPrefilterAgreesWithMatch(t *testing.T) {
	now := fixedNow
	rapid.Check(t, func(t *rapid.T) {
		when := rapid.SampledFrom([]string{"", `event.a == "a" and `, `event.a in ["5", ""] or `, "event.b.c > 1 and ", "not "}).Draw(t, "begin") + "(" + exprtest.Expression(3, false).Draw(t, "expression") + ")"
		set, faults := Compile("r.yaml", []byte("version: 1\nvars: {limit: 4}\nrules:\n  - {name: r, to: [desk], title: t, when: "+strconv.Quote(when)+"}\n"), Environment{})
		if len(faults.Errors()) > 0 {
			t.Skip("not supported")
		}
		d := event.NewDecoder(nil, set.Reads(), nil)
		prefilter := set.Prefilter(d)
		for range 10 {
			rec := event.Record{Topic: "trade-executions", Value: []byte(exprtest.JSON(exprtest.Document(t))), Arrived: now}
			if !prefilter.Quiet(rec, now, nil) {
				continue
			}
			e, err := d.Decode(rec)
			if err != nil || e.Repaired != "" {
				t.Fatalf("%s is called quiet: error %v, repair %q", rec.Value, err, e.Repaired)
			}
			if alerts, err := set.Match(&e, now); err != nil || len(alerts) > 0 {
				t.Fatalf("%s is called quiet for %s: error %v, %d alerts", rec.Value, when, err, len(alerts))
			}
		}
	})
}
