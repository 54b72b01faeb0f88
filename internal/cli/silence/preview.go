package silence

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/silence"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/term"
)

// previewed is the part of the delivery log that a preview reads.
const previewed = 24 * time.Hour

// preview is what a silence would have kept from being sent in the last 24 hours. Its JSON
// names are a contract.
type preview struct {
	Alerts   int            `json:"alerts"`   // all
	Matching int            `json:"matching"` // of these, those that it matches in any channel
	Critical int            `json:"critical"` // of these, critical ones
	Rules    map[string]int `json:"rules"`    // matching by rule
	missing  bool           // there is no delivery log
	names    map[string]bool
	of       []condition // those of the silence
}

// condition is what the alerts say of a condition.
type condition struct {
	values    map[string]bool // that alerts have of its name
	fulfilled bool            // by an alert
}

// mostNames bounds the names and the values that a suggestion is chosen from.
const mostNames = 1000

// look reads the delivery log.
func look(ctx context.Context, st *store, s *silence.Silence, now time.Time) (*preview, error) {
	p := &preview{Rules: make(map[string]int), names: make(map[string]bool), of: make([]condition, len(s.Match))}
	r := deliverylog.NewReader(st.client, st.group)
	spans, err := r.Spans(ctx, now.Add(-previewed), time.Time{})
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		p.missing = true
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool) // by alert: whether it matches in a channel
	err = r.Each(ctx, spans, nil, func(r *deliverylog.Record) bool {
		if r.Replay == 0 && r.ResentBy == "" {
			p.add(s, r, seen)
		}
		return true
	})
	return p, err
}

func (p *preview) add(s *silence.Silence, r *deliverylog.Record, seen map[string]bool) {
	a := r.Raised()
	for _, name := range silence.Names(a) {
		if len(p.names) < mostNames {
			p.names[name], p.names[strings.TrimSuffix(name, "_id")] = true, true
		}
	}
	for i, m := range s.Match {
		c := &p.of[i]
		for value := range m.Values(r.Channel, a) {
			if c.values == nil {
				c.values = make(map[string]bool)
			}
			if len(c.values) < mostNames {
				c.values[value] = true
			}
		}
		c.fulfilled = c.fulfilled || m.Matches(r.Channel, a)
	}
	matched, known := seen[r.Alert]
	if !known {
		p.Alerts++
	}
	if matches := s.Matches(r.Channel, a); !matched && matches {
		matched = true
		p.Matching++
		p.Rules[r.Rule]++
		if a.Severity == alert.Critical {
			p.Critical++
		}
	}
	seen[r.Alert] = matched
}

// write prints the preview.
func (p *preview) write(g *base.Globals, match []silence.Matcher) {
	switch {
	case p.missing:
		fmt.Fprintln(g.IO.Err, "there is no delivery log: what it would have kept from being sent is not known")
		return
	case p.Alerts == 0:
		fmt.Fprintln(g.IO.Err, "the delivery log has no alert of the last 24 h")
		return
	}
	fmt.Fprintf(g.IO.Err, "matches %s of %s alerts of the last 24 h, %s of them critical\n", humanize.Comma(int64(p.Matching)), humanize.Comma(int64(p.Alerts)), humanize.Comma(int64(p.Critical)))
	rules := slices.SortedFunc(maps.Keys(p.Rules), func(a, b string) int { return p.Rules[b] - p.Rules[a] })
	for i, rule := range rules {
		if i == 5 {
			fmt.Fprintf(g.IO.Err, "  and %d more rules\n", len(rules)-i)
			break
		}
		fmt.Fprintf(g.IO.Err, "  %7s  %s\n", humanize.Comma(int64(p.Rules[rule])), term.Visible(rule))
	}
	for i, m := range match {
		missing, near := "", ""
		switch values := slices.Sorted(maps.Keys(p.of[i].values)); {
		case len(values) == 0:
			missing, near = m.Name, suggest.Closest(m.Name, append(slices.Sorted(maps.Keys(p.names)), silence.Reserved()...))
		case m.Not || p.of[i].fulfilled:
			continue
		default:
			missing = m.String()
			if slices.Contains([]string{"rule", "channel", "topic", "type"}, m.Name) { // of an id, another is a good guess by chance only
				near = suggest.Closest(m.Pattern, values)
			}
		}
		text := "no alert of the last 24 h has " + missing
		if near != "" {
			text += fmt.Sprintf(": did you mean %s?", near)
		}
		fmt.Fprintln(g.IO.Err, "warning: "+term.Visible(text))
	}
}
