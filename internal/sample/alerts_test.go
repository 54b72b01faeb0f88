package sample

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/configs"
	raised "github.com/algotrade/notifier/internal/alert"
	decoding "github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/rule"
)

// alert is one alert with its document.
type alert struct {
	at   time.Duration
	rule string
	doc  decoding.Value
}

func (a alert) text(name string) string { return a.doc.Get(name).Text() }

// match returns the alerts that fire.
func match(t *testing.T, set *rule.Set, e *decoding.Event, now time.Time) []raised.Alert {
	t.Helper()
	alerts, err := set.Match(e, now)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(alerts, func(a raised.Alert) bool { return a.State != raised.Firing })
}

func defaultRules(t *testing.T) *rule.Set {
	t.Helper()
	set, faults := rule.Compile("rules.yaml", configs.Rules, rule.Environment{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return set
}

// alerts returns the alerts of the default rules, after throttling, and the number of
// poison records.
func alerts(t *testing.T, records []Record) (lines []alert, poison int) {
	t.Helper()
	set, decoder := defaultRules(t), decoding.NewDecoder(nil, nil, nil)
	throttled := map[string]time.Duration{}
	for _, r := range records {
		e, err := decoder.Decode(decoding.Record{Topic: string(r.Topic), Value: r.Value, Time: morning.Add(r.At)})
		if err != nil {
			poison++
			continue
		}
		for _, a := range match(t, set, &e, morning.Add(r.At)) {
			id := a.Rule + "/" + a.KeyText()
			if until, ok := throttled[id]; ok && r.At < until {
				continue
			}
			throttled[id] = r.At + a.Throttle
			lines = append(lines, alert{r.At, a.Rule, e.Doc})
		}
	}
	return lines, poison
}

func TestEveryDefaultRuleMatchesInFirstMinute(t *testing.T) {
	for seed := range uint64(5) {
		lines, poison := alerts(t, until(NewStory(seed, morning, 40), time.Minute))
		matched := map[string]int{}
		for _, line := range lines {
			matched[line.rule]++
		}
		for _, r := range defaultRules(t).Rules() {
			if matched[r.Name] == 0 {
				t.Errorf("seed %d: %s does not match", seed, r.Name)
			}
		}
		if lines[0].at > 3*time.Second {
			t.Errorf("seed %d: the first alert is at %v", seed, lines[0].at)
		}
		if len(lines) < 25 || len(lines) > 30 {
			t.Errorf("seed %d: %d alerts in the first minute, want 25 to 30", seed, len(lines))
		}
		if poison != 3 {
			t.Errorf("seed %d: %d poison records, want 3", seed, poison)
		}
	}
}

func TestStoryAlertsEveryMinute(t *testing.T) {
	const minutes = 20
	lines, poison := alerts(t, until(NewStory(1, morning, 2), minutes*time.Minute))
	perMinute, last := make([]int, minutes), time.Duration(0)
	matched := map[string]bool{}
	for _, line := range lines {
		perMinute[line.at/time.Minute]++
		if gap := line.at - last; gap > 15*time.Second {
			t.Errorf("no alert for %v until %v", gap, line.at)
		}
		last = line.at
		if line.at > minutes*time.Minute/2 {
			matched[line.rule] = true
		}
	}
	for i, n := range perMinute {
		if n < 10 || n > 30 {
			t.Errorf("minute %d has %d alerts", i, n)
		}
	}
	if len(matched) != len(defaultRules(t).Rules()) {
		t.Errorf("only %d rules match in the second half", len(matched))
	}
	if poison < minutes {
		t.Errorf("%d poison records in %d minutes", poison, minutes)
	}
}

// TestStoryDoesNotThrottleSamples: the story raises no alert with the key of a sample,
// which would throttle the sample's alert.
func TestStoryDoesNotThrottleSamples(t *testing.T) {
	set, decoder := defaultRules(t), decoding.NewDecoder(nil, nil, nil)
	keys := func(topic string, value []byte) (keys []string) {
		e, err := decoder.Decode(decoding.Record{Topic: topic, Value: value, Time: morning})
		if err != nil {
			return nil
		}
		for _, a := range match(t, set, &e, morning) {
			if a.Throttle > 0 {
				keys = append(keys, a.Rule+" "+a.KeyText())
			}
		}
		return keys
	}
	sample := map[string]string{}
	for _, s := range configs.Samples() {
		for _, key := range keys(string(s.Topic), s.Data) {
			sample[key] = s.Name
		}
	}
	for _, r := range until(NewStory(1, morning, 2), 20*time.Minute) {
		for _, key := range keys(string(r.Topic), r.Value) {
			if name := sample[key]; name != "" {
				t.Errorf("at %v the story has alert key %s of sample %s", r.At, key, name)
			}
		}
	}
}

// TestTitlesOfTheStoryLackNoValue: what fires and what is resolved.
func TestTitlesOfTheStoryLackNoValue(t *testing.T) {
	set, decoder := defaultRules(t), decoding.NewDecoder(nil, nil, nil)
	for _, r := range until(NewStory(1, morning, 2), 3*time.Minute) {
		e, err := decoder.Decode(decoding.Record{Topic: string(r.Topic), Value: r.Value, Time: morning.Add(r.At)})
		if err != nil {
			continue
		}
		alerts, err := set.Match(&e, morning.Add(r.At))
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range alerts {
			if title := a.Title.String(); strings.Contains(title, "–") {
				t.Errorf("%s at %v: %s", a.Rule, r.At, title)
			}
		}
	}
}

func TestBackgroundRaisesNoAlert(t *testing.T) {
	for _, line := range first(alerts(t, until(NewStory(4, morning, 400), 90*time.Second))) {
		if account := line.text("account_id"); account >= "ACC-2" {
			t.Errorf("%s matches %s", line.rule, account)
		}
		if id := line.text("forward_test_id"); id >= "ft-21" && id < "ft-22" {
			t.Errorf("%s matches %s", line.rule, id)
		}
	}
}

func first[A, B any](a A, _ B) A { return a }
