package main

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func shippedRules(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../configs/prometheus/notifier.rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEveryAlertIsCausedByAnAct(t *testing.T) {
	missing := make(map[string]bool)
	for _, m := range named.FindAllStringSubmatch(shippedRules(t), -1) {
		missing[m[1]] = true
	}
	if len(missing) < 20 {
		t.Fatalf("only %d alerts were found", len(missing))
	}
	for _, a := range allActs() {
		for _, s := range a.signs {
			if !missing[s.alert] {
				t.Errorf("%s is no alert, or is caused twice", s.alert)
			}
			delete(missing, s.alert)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		t.Errorf("nothing causes %s", name)
	}
}

func TestOnlyRuleDurationsAreShortened(t *testing.T) {
	rules := shippedRules(t)
	short, err := hurried(rules)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"for: 15s", "keep_firing_for: 2s", "notifier_records_total[5s]", "offset 30s", `lag_seconds", expr: vector(20)`, `until_loss_seconds", expr: vector(480)`, `processing_seconds", expr: vector(2)`} {
		if !strings.Contains(short, want) {
			t.Errorf("the short form has no %q", want)
		}
	}
	was, is := strings.Split(rules, "\n"), strings.Split(short, "\n")
	number := regexp.MustCompile(`[0-9.]+[ms]?`)
	for i := range was {
		if number.ReplaceAllString(was[i], "") != number.ReplaceAllString(is[i], "") {
			t.Errorf("line %d became %q", i+1, is[i])
		}
	}
	if _, err := hurried(strings.Replace(rules, "for: 2m", "for: 1h", 1)); err == nil {
		t.Error("a duration of an hour is left as it is, without an error")
	}
}
