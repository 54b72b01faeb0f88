package rule_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/digest"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/rule"
)

const grouped = `
version: 1
digest: {window: 1m, max_items: 5}
rules:
  - name: r
    when: event.qty > 0
    key: [event.account_id]
    group_by: [event.reject_code, event.qty]
    to: [desk]
    title: "{{ event.symbol }}"
`

func TestGroupTravelsUnlessItIsTheKey(t *testing.T) {
	for _, test := range []struct {
		file string
		want []string
	}{
		{grouped, []string{"", "2"}}, // a missing part is empty
		{strings.Replace(grouped, "group_by: [event.reject_code, event.qty]", "group_by: [event.account_id]", 1), nil},
		{strings.Replace(grouped, "group_by: [event.reject_code, event.qty]", "", 1), nil},
	} {
		set, faults := rule.Compile("r.yaml", []byte(test.file), rule.Environment{})
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		e, err := event.NewDecoder(nil, nil, nil).Decode(record(`{"account_id":"ACC-1","qty":"2"}`))
		if err != nil {
			t.Fatal(err)
		}
		a := match(t, set, &e, arrived)[0]
		if !slices.Equal(a.Group, test.want) {
			t.Errorf("group %q, want %q", a.Group, test.want)
		}
		b, err := a.JSON()
		if has := strings.Contains(string(b), `"group":`); err != nil || has != (test.want != nil) {
			t.Errorf("%s: %v", b, err)
		}
	}
}

func TestDigestOfRulesFileHasDefaults(t *testing.T) {
	set, faults := rule.Compile("r.yaml", []byte(grouped), rule.Environment{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	want := digest.Defaults()
	want.Window, want.MaxItems = time.Minute, 5
	if got := set.Digest(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestDigestAndGroupFaultsHaveTheirPlace(t *testing.T) {
	_, faults := rule.Compile("r.yaml", []byte(`
version: 1
digest: {window: 10ms, max_window: 20s, max_items: 0, collapse_over: 1001, windows: 1s}
rules:
  - {name: r, when: event.x > 0, group_by: [], to: [desk], title: x}
  - {name: q, when: event.x > 0, group_by: [event.x +], to: [desk], title: x}
`), rule.Environment{})
	for _, want := range []string{
		"r.yaml:3:18: digest.window: 10ms is not between 1s and 15m",
		"r.yaml:3:52: digest.max_items: 0 is not between 1 and 100",
		"r.yaml:3:70: digest.collapse_over: 1001 is not between 1 and 1000",
		`unknown key: did you mean "window"?`,
		"r.yaml:5:44: rules[0].group_by: is empty",
		"r.yaml:6:", "group_by[0]",
	} {
		if !strings.Contains(faults.Error(), want) {
			t.Errorf("no %s in\n%s", want, faults.Error())
		}
	}
}
