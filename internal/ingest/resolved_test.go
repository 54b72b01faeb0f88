package ingest

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/rule"
)

// marginRules is a program with one rule that clears.
func marginRules(t *testing.T, channels ...string) Program {
	t.Helper()
	set, faults := rule.Compile("rules.yaml", []byte(`version: 1
rules:
  - {name: margin, when: event.ratio > 1, clear: event.ratio < 0.9, key: [event.account], to: [`+strings.Join(append(channels, "desk"), ", ")+`], title: t}
`), rule.Environment{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	d := event.NewDecoder(nil, set.Reads(), nil)
	return Program{Decoder: d, Rules: set, Prefilter: set.Prefilter(d)}
}

// TestResolvedIsRaisedOncePerAssignmentAndChannels: what was raised by a former owner, or
// for other channels, is not known. The same rule of another file is the same.
func TestResolvedIsRaisedOncePerAssignmentAndChannels(t *testing.T) {
	h := New(Params{Group: "g", Program: marginRules(t), Logger: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
	states := func(m *rule.Resolved, ratios ...float64) (list []string) {
		for i, ratio := range ratios {
			value := fmt.Appendf(nil, `{"account":"A","ratio":%v}`, ratio)
			alerts, err := h.match(&kgo.Record{Topic: "portfolio-updates", Offset: int64(i), Value: value}, time.Now(), time.Now(), m)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range alerts {
				list = append(list, fmt.Sprintf("%v %q", ratio, a.State))
			}
		}
		return list
	}
	first := rule.NewResolved()
	for _, step := range []struct {
		memory *rule.Resolved
		before func()
		want   string
	}{
		{memory: first, want: `[0.5 "resolved" 1.5 "" 1.6 "" 0.6 "resolved"]`},
		{memory: first, want: `[1.5 "" 1.6 "" 0.6 "resolved"]`},
		{memory: rule.NewResolved(), want: `[0.5 "resolved" 1.5 "" 1.6 "" 0.6 "resolved"]`},
		{memory: first, before: func() { h.Use(marginRules(t)) }, want: `[1.5 "" 1.6 "" 0.6 "resolved"]`},
		{memory: first, before: func() { h.Use(marginRules(t, "mail")) }, want: `[0.5 "resolved" 1.5 "" 1.6 "" 0.6 "resolved"]`},
		{want: `[0.5 "resolved" 0.5 "resolved" 1.5 "" 1.6 "" 0.6 "resolved"]`},
	} {
		if step.before != nil {
			step.before()
		}
		if got := fmt.Sprint(states(step.memory, 0.5, 0.5, 1.5, 0.95, 1.6, 0.6)); got != step.want {
			t.Errorf("raised %s, want %s", got, step.want)
		}
	}
}

// TestResolvedHasAnIDOfItsOwn: after a change of the rules one record may fire and clear.
func TestResolvedHasAnIDOfItsOwn(t *testing.T) {
	h := New(Params{Group: "g", Program: marginRules(t), Logger: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
	fires, clears := &alert.Alert{Rule: "margin"}, &alert.Alert{Rule: "margin", State: alert.Resolved}
	source := alert.Source{Cluster: "c", Topic: "t", Offset: 7}
	h.Raise(fires, source)
	h.Raise(clears, source)
	if fires.ID == clears.ID || clears.ID == "" {
		t.Errorf("ids %q and %q", fires.ID, clears.ID)
	}
}

// TestResolvedGoesToFallbackChannelsToo: they may have been told that its key fires.
func TestResolvedGoesToFallbackChannelsToo(t *testing.T) {
	h := New(Params{
		Group: "g", Program: marginRules(t), Logger: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(),
		Fallbacks: map[string]string{"slack": "mail", "pager": "slack"},
	})
	channels := []string{"slack", "pager", "hook"}
	fires, clears := &alert.Alert{Rule: "margin", Channels: channels}, &alert.Alert{Rule: "margin", State: alert.Resolved, Channels: channels}
	h.Raise(fires, alert.Source{})
	h.Raise(clears, alert.Source{})
	if got := fmt.Sprint(fires.Channels, clears.Channels); got != "[slack pager hook] [slack pager hook mail]" {
		t.Errorf("they go to %s", got)
	}
}
