package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/topics"
)

func newDLQ(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "dlq", Short: "Look at what could not be handled", Args: subcommand, RunE: help}
	cmd.AddCommand(newDLQList(g), newDLQShow(g))
	return cmd
}

// selection are the flags that choose dead letters.
type selection struct {
	topics, reasons, scopes, causes, rules, channels, fingerprints, keys, states []string
	since, until                                                                 string
	limit                                                                        int
}

func (s *selection) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&s.topics, "topic", nil, "source topics")
	f.StringSliceVar(&s.reasons, "reason", nil, "reasons: "+reasons())
	f.StringSliceVar(&s.scopes, "scope", nil, "scopes: message, recipient, channel, system")
	f.StringSliceVar(&s.causes, "cause", nil, "causes, such as truncated or payload-refused")
	f.StringSliceVar(&s.rules, "rule", nil, "rules")
	f.StringSliceVar(&s.channels, "channel", nil, "channels")
	f.StringSliceVar(&s.fingerprints, "fingerprint", nil, "fingerprints: entries that failed alike")
	f.StringSliceVar(&s.keys, "key", nil, "record keys")
	f.StringSliceVar(&s.states, "state", nil, "states: open, quarantined, malformed")
	f.StringVar(&s.since, "since", "", "failed since: a duration (2h) or a time (RFC 3339)")
	f.StringVar(&s.until, "until", "", "failed until: a duration (2h) or a time (RFC 3339)")
	f.IntVar(&s.limit, "limit", 0, "at most this many, the newest (0: all)")
}

func reasons() string {
	var names []string
	for _, r := range outcome.Reasons() {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

// apply returns the chosen entries, in the order given.
func (s *selection) apply(entries []*dlq.Entry, now time.Time) ([]*dlq.Entry, error) {
	since, err := parseWhen(s.since, now)
	if err != nil {
		return nil, misused("--since: %w", err)
	}
	until, err := parseWhen(s.until, now)
	if err != nil {
		return nil, misused("--until: %w", err)
	}
	has := func(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
	var chosen []*dlq.Entry
	for _, e := range entries {
		rule := ""
		if e.Envelope.Alert != nil {
			rule = e.Envelope.Alert.Rule
		}
		if has(s.topics, e.Envelope.Source.Topic) && has(s.reasons, string(e.Reason)) && has(s.scopes, string(e.Scope)) &&
			has(s.causes, string(e.Cause)) && has(s.rules, rule) && has(s.channels, e.Envelope.Channel) &&
			has(s.fingerprints, e.Fingerprint()) && has(s.keys, string(e.Envelope.Source.Key)) && has(s.states, string(e.State)) &&
			(since.IsZero() || !e.LastFailed.Before(since)) && (until.IsZero() || !e.LastFailed.After(until)) {
			chosen = append(chosen, e)
		}
	}
	if s.limit > 0 && len(chosen) > s.limit {
		chosen = chosen[:s.limit]
	}
	return chosen, nil
}

// sources are the topics to read: those chosen, else all.
func (s *selection) sources() ([]topics.Name, error) {
	var names []topics.Name
	for _, t := range s.topics {
		n, err := topics.Parse(t)
		if err != nil {
			return nil, misused("%w", err)
		}
		names = append(names, n)
	}
	return names, nil
}

func parseWhen(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return now.Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a duration such as 2h nor a time such as 2026-11-23T14:31:05Z", s)
	}
	return t, nil
}

func newDLQList(g *globals) *cobra.Command {
	var sel selection
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, the newest first",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sources, err := sel.sources()
			if err != nil {
				return err
			}
			reader, err := g.letters(cmd.Context())
			if err != nil {
				return err
			}
			defer reader.client.Close()
			ctx, cancel := context.WithTimeout(cmd.Context(), time.Minute)
			defer cancel()
			all, err := reader.List(ctx, sources...)
			if err != nil {
				return err
			}
			entries, err := sel.apply(all, time.Now())
			if err != nil {
				return err
			}
			if g.json() {
				return writeEntries(g.io.out, entries)
			}
			listEntries(g, entries, len(all))
			return nil
		},
	}
	sel.flags(cmd)
	return cmd
}

func listEntries(g *globals, entries []*dlq.Entry, all int) {
	if len(entries) == 0 {
		if all == 0 {
			fmt.Fprintln(g.io.err, "no dead letters")
		} else {
			fmt.Fprintf(g.io.err, "none of the %d dead letters is meant by these filters\n", all)
		}
		return
	}
	short := shortIDs(entries)
	t := table{head: []string{"ID", "AGE", "SOURCE", "KEY", "REASON", "CAUSE", "RULE", "CHANNEL", "STATE", "REPLAYS"}, elastic: []int{3, 6, 2}}
	for _, e := range entries {
		rule := "–"
		if e.Envelope.Alert != nil {
			rule = e.Envelope.Alert.Rule
		}
		t.add(short[e.ID], age(time.Since(e.LastFailed)), e.Where(), keyText(e.Envelope.Source.Key), string(e.Reason), string(e.Cause),
			rule, orDash(e.Envelope.Channel), string(e.State), fmt.Sprint(e.Replays))
	}
	t.write(g.io.out, g.width())
	fmt.Fprintf(g.io.err, "\nlook at one: %s dlq show %s\n", self(), short[entries[0].ID])
}

// shortIDs gives each entry the shortest prefix, of at least 7 characters,
// that no other listed id begins with.
func shortIDs(entries []*dlq.Entry) map[string]string {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	slices.Sort(ids)
	short := make(map[string]string, len(ids))
	common := func(a, b string) int {
		n := 0
		for n < len(a) && n < len(b) && a[n] == b[n] {
			n++
		}
		return n
	}
	for i, id := range ids {
		n := 7
		if i > 0 {
			n = max(n, common(id, ids[i-1])+1)
		}
		if i+1 < len(ids) {
			n = max(n, common(id, ids[i+1])+1)
		}
		short[id] = id[:min(n, len(id))]
	}
	return short
}

func keyText(key []byte) string {
	switch {
	case key == nil:
		return "null"
	case !utf8.Valid(key):
		return "base64:" + base64.StdEncoding.EncodeToString(key)
	}
	return string(key)
}

// entryJSON is an entry for programs; the names are a contract.
type entryJSON struct {
	ID          string    `json:"id"`
	Topic       string    `json:"topic"`
	Partition   int32     `json:"partition"`
	Offset      int64     `json:"offset"`
	Key         *string   `json:"key"`
	KeyBase64   string    `json:"key_base64,omitempty"`
	Rule        string    `json:"rule"`
	Channel     string    `json:"channel"`
	Recipients  []string  `json:"recipients"`
	Severity    string    `json:"severity"`
	Reason      string    `json:"reason"`
	Scope       string    `json:"scope"`
	Cause       string    `json:"cause"`
	Fingerprint string    `json:"fingerprint"`
	Detail      string    `json:"detail"`
	Attempts    int       `json:"attempts"`
	FirstFailed time.Time `json:"first_failed"`
	LastFailed  time.Time `json:"last_failed"`
	State       string    `json:"state"`
	Replays     int       `json:"replays"`
	Size        int       `json:"size"`
}

func writeEntries(w io.Writer, entries []*dlq.Entry) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, e := range entries {
		if err := enc.Encode(toJSON(e)); err != nil {
			return err
		}
	}
	return nil
}

func toJSON(e *dlq.Entry) entryJSON {
	s := e.Envelope.Source
	j := entryJSON{
		ID: e.ID, Topic: s.Topic, Partition: s.Partition, Offset: s.Offset, Channel: e.Envelope.Channel,
		Recipients: e.Recipients, Reason: string(e.Reason), Scope: string(e.Scope), Cause: string(e.Cause),
		Fingerprint: e.Fingerprint(), Detail: e.Detail, Attempts: e.Attempts, FirstFailed: e.FirstFailed.UTC(), LastFailed: e.LastFailed.UTC(),
		State: string(e.State), Replays: e.Replays, Size: len(s.Value),
	}
	if j.Recipients == nil {
		j.Recipients = []string{}
	}
	if e.Envelope.Alert != nil {
		j.Rule, j.Severity = e.Envelope.Alert.Rule, string(e.Envelope.Alert.Severity)
	}
	if s.Key != nil {
		if utf8.Valid(s.Key) {
			key := string(s.Key)
			j.Key = &key
		} else {
			j.KeyBase64 = base64.StdEncoding.EncodeToString(s.Key)
		}
	}
	return j
}
