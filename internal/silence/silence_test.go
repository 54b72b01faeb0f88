package silence

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
)

var now = time.Date(2026, 11, 30, 17, 0, 0, 0, time.UTC)

func parse(t *testing.T, text string) []Matcher {
	t.Helper()
	var all []Matcher
	for _, one := range strings.Fields(text) {
		m, err := ParseMatcher(one)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

func rejected() *alert.Alert {
	return &alert.Alert{
		Rule: "order-rejected", Severity: alert.Warning, Topic: "trade-executions", EventType: "order.rejected",
		Key: []string{"A7", "venue=down", "x"}, KeyNames: []string{"account_id", "order.reject_code", ""}, Group: []string{"XNAS"},
		Fields: []alert.Field{{Label: "strategy", Value: alert.Text{{Text: "mm-", Value: true}, {Text: "eu"}}}, {Label: "limit price", Value: alert.Text{{Text: "5"}}}},
	}
}

func TestSilenceMatchesWhatAlertHas(t *testing.T) {
	for text, want := range map[string]bool{
		"rule=order-rejected": true, "rule=order-*": true, "rule=*rejected": true, "rule=o*r-*ted": true, "rule=order": false, "rule=*order": false, "rule!=drawdown rule=*": true,
		"severity=warning": true, "severity=info": false, "channel=desk": true, "channel=desk-*": false, "topic=trade-executions": true, "type=order.*": true,
		"key=A7/venue=down/x": true, "key=A7": true, "key=A8": false, "key=x": true, "group=XNAS": true, "group=XNYS": false,
		"account=A7": true, "account_id=A7": true, "event.account_id=A7": true, "account=A8": false, "account!=A8": true, "account!=A7": false,
		"reject_code=venue=down": true, "order.reject_code=venue*": true, "event.order.reject_code=venue*": true, "fill.reject_code=venue*": false,
		"strategy=mm-*": true, "strategy_id=mm-eu": true, "limit_price=5": true, "limit_price=*": true,
		"venue=*": false, "venue!=XNAS": true, "rule=order-rejected account=A7": true, "rule=order-rejected account=A8": false,
	} {
		s := &Silence{Match: parse(t, text)}
		if got := s.Silences("desk", rejected()); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	withoutGroup := rejected()
	withoutGroup.Group = nil
	if s := (&Silence{Match: parse(t, "group=A7")}); !s.Silences("desk", withoutGroup) {
		t.Error("the group of an alert without its own is not its key")
	}
}

func TestSilenceSparesCriticalAndResolvedAlerts(t *testing.T) {
	for _, critical := range []bool{false, true} {
		s := &Silence{Match: parse(t, "rule=order-rejected"), Critical: critical}
		a := rejected()
		a.Severity = alert.Critical
		if s.Silences("desk", a) != critical {
			t.Errorf("critical silences %v: a critical alert", critical)
		}
		a.State = alert.Resolved
		if s.Silences("desk", a) {
			t.Error("the end of a firing is silenced")
		}
	}
}

func TestIncompleteSilenceIsRefused(t *testing.T) {
	ok := parse(t, "rule=order-rejected")
	for want, f := range map[string]func() ([]Matcher, time.Duration, string){
		"":             func() ([]Matcher, time.Duration, string) { return ok, Longest, "CHG-112" },
		"no condition": func() ([]Matcher, time.Duration, string) { return nil, time.Hour, "CHG-112" },
		"the conditions would silence everything": func() ([]Matcher, time.Duration, string) {
			return parse(t, "rule=* account!=A7"), time.Hour, "CHG-112"
		},
		"a comment is required":          func() ([]Matcher, time.Duration, string) { return ok, time.Hour, " " },
		"the comment has more":           func() ([]Matcher, time.Duration, string) { return ok, time.Hour, strings.Repeat("x", maxText+1) },
		"the end has passed":             func() ([]Matcher, time.Duration, string) { return ok, -time.Second, "CHG-112" },
		"a silence lasts at most 7 days": func() ([]Matcher, time.Duration, string) { return ok, Longest + time.Second, "CHG-112" },
		"more than 16 conditions": func() ([]Matcher, time.Duration, string) {
			return append(make([]Matcher, 16), ok...), time.Hour, "CHG-112"
		},
		"a condition has more than 500": func() ([]Matcher, time.Duration, string) {
			return parse(t, "rule="+strings.Repeat("x", 500)), time.Hour, "CHG-112"
		},
	} {
		match, d, comment := f()
		_, err := New(match, now, now.Add(d), "ann", comment, false)
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for _, text := range []string{"rule", "=x", "!=x", "rule=", "severity=warn", "severity=high*"} {
		if m, err := ParseMatcher(text); err == nil {
			t.Errorf("%s is read as %s", text, m)
		}
	}
}

func TestSilenceSurvivesItsRecord(t *testing.T) {
	s, err := New(parse(t, "rule=order-rejected account!=A*"), now, now.Add(time.Hour), "ann", "CHG-112", true)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, err := Parse(s.Record())
		if err != nil || !reflect.DeepEqual(got, s) {
			t.Errorf("%v\ngot  %+v\nwant %+v", err, got, s)
		}
		s.Ends, s.ExpiredBy = s.Created, "bob"
	}
	for _, value := range []string{"", "{}", `{"id":"sil_x"}`, strings.Replace(string(s.Record().Value), `"rule=order-rejected"`, `"severity=loud"`, 1)} {
		r := s.Record()
		r.Value = []byte(value)
		if got, err := Parse(r); err == nil {
			t.Errorf("%s is read as %+v", value, got)
		}
	}
}
