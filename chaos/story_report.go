package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// storyDigests is how many messages there may be besides one for each planted event:
// the digests of the outage, and those of groups that have no planted one.
const storyDigests = 14

// storyReport is what people got, against what is promised.
type storyReport struct {
	rows []storyRow
}

type storyRow struct {
	what, value, bound string
	ok                 bool
}

func (r *storyReport) ok() bool {
	return !slices.ContainsFunc(r.rows, func(row storyRow) bool { return !row.ok })
}

func (r *storyReport) add(what, value, bound string, ok bool) {
	r.rows = append(r.rows, storyRow{what, value, bound, ok})
}

func (r *storyReport) text(out io.Writer) {
	for _, row := range r.rows {
		mark := ""
		if !row.ok {
			mark = "  FAILED"
		}
		fmt.Fprintf(out, "%-52s %12s   %-12s%s\n", row.what, row.value, row.bound, mark)
	}
}

// judge compares the messages with the promises.
func (s *story) judge(ctx context.Context) *storyReport {
	s.slack.mu.Lock()
	messages, edited, limited := s.slack.messages, s.slack.edited, s.slack.limited
	s.slack.mu.Unlock()
	r := &storyReport{}
	r.late(s, "critical", messages, 10*time.Second)
	r.late(s, "first", messages, 15*time.Second)
	r.add("restart: stop until ready", elapsed(s.down.to.Sub(s.down.from)), "", true)
	most := len(s.planted) + storyDigests
	r.add("messages to people", strconv.Itoa(len(messages)), fmt.Sprint("≤ ", most), len(messages) <= most)
	r.add("edits of messages", strconv.Itoa(edited), "", true)
	r.add("answers 429", strconv.Itoa(limited), "", true)
	twice := repeated(messages)
	r.add("told again within its throttle", strconv.Itoa(twice), "0", twice == 0)
	found, err := s.logged(ctx)
	value := fmt.Sprintf("%d of %d", found, s.matches)
	if err != nil {
		value = err.Error()
	}
	r.add("alerts in the delivery log", value, "all", err == nil && found == s.matches)
	return r
}

// late adds how long planted events took to be told, and which never were. Those of
// a time in which the daemon was stopped count from its end.
func (r *storyReport) late(s *story, kind string, messages []slackMessage, bound time.Duration) {
	var took []time.Duration
	var lost []string
	for _, p := range s.planted {
		if p.kind != kind {
			continue
		}
		if at := told(messages, p.mark); at.IsZero() {
			lost = append(lost, p.mark)
		} else if since := p.produced; since.After(s.down.from) && since.Before(s.down.to) {
			took = append(took, at.Sub(s.down.to))
		} else {
			took = append(took, at.Sub(since))
		}
	}
	what := map[string]string{"critical": "critical alert: event until message", "first": "first alert of a group: event until message"}[kind]
	if len(took) > 0 {
		slices.Sort(took)
		at := func(q float64) time.Duration { return took[min(len(took)-1, int(q*float64(len(took))))] }
		r.add(what+", p50", elapsed(at(0.5)), "", true)
		r.add(what+", p99", elapsed(at(0.99)), "≤ "+elapsed(bound), at(0.99) <= bound)
	}
	r.add(what+", never told", strings.TrimSpace(fmt.Sprint(len(lost), " ", strings.Join(lost, " "))), "0", len(lost) == 0)
}

func elapsed(d time.Duration) string { return fmt.Sprintf("%.1f s", max(0, d.Seconds())) }

// told returns when a text was in a message first; zero: never.
func told(messages []slackMessage, mark string) (first time.Time) {
	for _, m := range messages {
		for _, t := range m.texts {
			if strings.Contains(t.text, mark) && (first.IsZero() || t.at.Before(first)) {
				first = t.at
			}
		}
	}
	return first
}

// ordered finds the order of a reject: its account and so its alert key.
var ordered = regexp.MustCompile(`o-[A-Z]+-[0-9]+`)

// repeated counts the messages that say the same of the same orders as another one
// less than the shortest throttle before.
func repeated(messages []slackMessage) (n int) {
	last := make(map[string]time.Time)
	for _, m := range messages {
		t := m.texts[0]
		said := t.title + strings.Join(ordered.FindAllString(t.text, -1), " ")
		if before, ok := last[said]; ok && t.at.Sub(before) < storyThrottled {
			n++
		}
		last[said] = t.at
	}
	return n
}

// logged returns of how many alerts the delivery log has a decision.
func (s *story) logged(ctx context.Context) (int, error) {
	text, err := s.command(ctx, "alerts", "list", "--since", "2h", "--limit", "0", "-o", "json")
	if err != nil {
		return 0, err
	}
	alerts := make(map[string]bool)
	for line := range strings.Lines(text) {
		var entry struct{ Alert string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			return 0, fmt.Errorf("alerts list: %w", err)
		}
		alerts[entry.Alert] = true
	}
	return len(alerts), nil
}

// sampleSum adds up the samples of a metric, whatever their labels.
func sampleSum(name string) func(string) float64 {
	return func(metrics string) (sum float64) {
		for line := range strings.Lines(metrics) {
			if rest, ok := strings.CutPrefix(line, name); ok && (rest[0] == '{' || rest[0] == ' ') {
				v, _ := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' ')+1:]), 64)
				sum += v
			}
		}
		return sum
	}
}
