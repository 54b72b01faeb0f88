package rule_test

import (
	"testing"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/rule"
)

// TestJoinedKeyKeepsAccountsApart: alerts of several accounts have several keys, so
// that a throttle suppresses none of them.
func TestJoinedKeyKeepsAccountsApart(t *testing.T) {
	const file = `
version: 1
rules:
  - name: r
    when: event.qty > 0
    key: ['event.account_id + "/" + event.symbol', event.qty / event.lot]
    throttle: 10m
    to: [desk]
    title: '{{ event.account_id + "/" + event.symbol }} {{ event.qty / event.lot }}'
`
	set, faults := rule.Compile("r.yaml", []byte(file), rule.Environment{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for doc, want := range map[string][3]string{
		`{"account_id":"ACC-1","symbol":"AAPL","qty":"2","lot":"4"}`: {"ACC-1/AAPL", "0.5", "ACC-1/AAPL 0.5"},
		`{"account_id":"ACC-2","symbol":"AAPL","qty":"2","lot":"0"}`: {"ACC-2/AAPL", "", "ACC-2/AAPL –"},
		`{"account_id":1042,"symbol":"0700","qty":1,"lot":1}`:        {"1042/0700", "1", "1042/0700 1"},
		`{"account_id":"ACC-3","qty":1}`:                             {"", "", "– –"},
	} {
		e, err := event.NewDecoder(nil, nil, nil).Decode(record(doc))
		if err != nil {
			t.Fatal(err)
		}
		alerts := match(t, set, &e, arrived)
		if len(alerts) != 1 {
			t.Fatalf("%s: %d alerts", doc, len(alerts))
		}
		if got := [3]string{alerts[0].Key[0], alerts[0].Key[1], alerts[0].Title.String()}; got != want {
			t.Errorf("%s: %q, want %q", doc, got, want)
		}
	}
}
