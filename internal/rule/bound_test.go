package rule_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/event"
)

// TestAlertOfAnyEventIsBounded: one member of a rejected order is large, of any
// kind. The alert fits, is marked as shortened, and keeps its key.
func TestAlertOfAnyEventIsBounded(t *testing.T) {
	set := defaults(t)
	long := func(s string, n int) string { return strings.Repeat(s, n) }
	for name, member := range map[string]string{
		"id":             `"event_id":"` + long("i", 1<<20) + `"`,
		"markup":         `"reason":"` + long("<", 300<<10) + `"`,
		"a number":       `"symbol":` + long("9", 1<<20),
		"a list":         `"symbol":[` + long(`"AAPL",`, 50_000) + `"AAPL"]`,
		"nested lists":   `"symbol":[` + long(`["AAPL","MSFT"],`, 20_000) + `1]`,
		"an object":      `"symbol":{"` + long("n", 100<<10) + `":"` + long("v", 100<<10) + `"}`,
		"control":        `"reason":"` + long(`\u0000`, 50<<10) + `"`,
		"a key's part":   `"reject_code":"` + long("k", 1<<20) + `"`,
		"several fields": `"strategy_id":"` + long("€", 90_000) + `","venue":"` + long("€", 90_000) + `","reason":"` + long("€", 90_000) + `"`,
	} {
		t.Run(name, func(t *testing.T) {
			doc := fmt.Sprintf(`{"event_type":"order.rejected","account_id":"ACC-1","side":"buy",%s}`, member)
			e, err := event.NewDecoder(nil, set.Reads(), nil).Decode(event.Record{Topic: "trade-executions", Value: []byte(doc)})
			if err != nil {
				t.Fatal(err)
			}
			alerts := match(t, set, &e, time.Now())
			if len(alerts) != 1 {
				t.Fatalf("%d alerts", len(alerts))
			}
			a := &alerts[0]
			b, err := a.JSON()
			if err != nil || len(b) > alert.MaxJSON || !a.Shortened {
				t.Errorf("%d bytes, shortened: %v, %v", len(b), a.Shortened, err)
			}
			if !strings.HasPrefix(a.Title.String(), "Rejected: ") || a.Key[0] != "ACC-1" {
				t.Errorf("title %.40q, key %.40q", a.Title, a.Key)
			}
			for _, part := range a.Title {
				if n := utf8.RuneCountInString(part.Text); n > alert.MaxValue {
					t.Errorf("a value of %d runes", n)
				}
			}
		})
	}
}

// TestSampleAlertsAreNotShortened: no alert of a sample is marked as shortened.
func TestSampleAlertsAreNotShortened(t *testing.T) {
	for _, s := range samples(t) {
		e := s.Event
		for _, a := range match(t, defaults(t), &e, time.Now()) {
			if a.Shortened || a.EventID != e.ID || a.EventType != e.Type {
				t.Errorf("%s: %+v", s.Name, a)
			}
		}
	}
}
