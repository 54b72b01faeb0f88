package dlq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

// selection has the flags that select dead letters.
type selection struct {
	topics, reasons, scopes, causes, rules, channels, fingerprints, keys, states []string
	since, until                                                                 string
	limit                                                                        int
	all                                                                          bool
}

// everyState is the --state of all entries, closed ones included.
const everyState = "all"

func (s *selection) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&s.topics, "topic", nil, "of these source topics")
	f.StringSliceVar(&s.reasons, "reason", nil, "with these reasons, such as undecodable, refused or exhausted")
	f.StringSliceVar(&s.scopes, "scope", nil, "with these scopes: "+strings.Join(words(scopes), ", "))
	f.StringSliceVar(&s.causes, "cause", nil, "with these causes, such as truncated or payload-refused")
	f.StringSliceVar(&s.rules, "rule", nil, "of these rules")
	f.StringSliceVar(&s.channels, "channel", nil, "for these channels")
	f.StringSliceVar(&s.fingerprints, "fingerprint", nil, "with these fingerprints")
	f.StringArrayVar(&s.keys, "key", nil, "with this record `key`; can be repeated")
	f.StringSliceVar(&s.states, "state", nil, "in these states: "+strings.Join(stateWords(), ", "))
	f.StringVar(&s.since, "since", "", "failed since `WHEN`: a duration (2h) or a time (RFC 3339)")
	f.StringVar(&s.until, "until", "", "failed until `WHEN`: a duration (2h) or a time (RFC 3339)")
	f.IntVar(&s.limit, "limit", 0, "at most this many, the newest (0: all)")
}

// allFlag is for commands that do not select everything by default.
func (s *selection) allFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.all, "all", false, "all dead letters, instead of ids or filters")
}

var scopes = []outcome.Scope{outcome.Message, outcome.Recipient, outcome.Channel, outcome.System}

func words[T ~string](values []T) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = string(v)
	}
	return list
}

func stateWords() []string { return append(words(dlq.States()), everyState) }

// filter is a valid selection. Resolved and discarded entries are selected only by state or id.
type filter struct {
	selection
	ids          []string
	since, until time.Time
}

// filter checks the flags. ids may be abbreviated.
func (s *selection) filter(ids []string, now time.Time) (*filter, error) {
	f := &filter{selection: *s, ids: ids}
	for _, list := range []struct {
		flag          string
		given, choice []string
	}{
		{"topic", s.topics, words(topics.All())},
		{"reason", s.reasons, words(outcome.Reasons())},
		{"scope", s.scopes, words(scopes)},
		{"state", s.states, stateWords()},
	} {
		for _, v := range list.given {
			if !slices.Contains(list.choice, v) {
				return nil, unknownWord(list.flag, v, list.choice)
			}
		}
	}
	var err error
	if f.since, err = base.ParseWhen(s.since, now); err != nil {
		return nil, base.Misused("--since: %w", err)
	}
	if f.until, err = base.ParseWhen(s.until, now); err != nil {
		return nil, base.Misused("--until: %w", err)
	}
	if s.limit < 0 {
		return nil, base.Misused("--limit %d is not a positive number, or 0 for all", s.limit)
	}
	if slices.Contains(ids, "") {
		return nil, base.Misused("an id is empty")
	}
	if s.all && f.isNarrow() {
		return nil, base.Misused("use either --all or ids and filters")
	}
	return f, nil
}

func unknownWord(flag, word string, choice []string) error {
	near := suggest.Closest(word, choice)
	if flag == "topic" {
		if name, ok := topics.Correct(word); ok {
			near = string(name)
		}
	}
	if near != "" {
		return base.Misused("--%s %q is not known: did you mean %s?", flag, word, near)
	}
	return base.Misused("--%s %q is not known: choose from %s", flag, word, strings.Join(choice, ", "))
}

// isNarrow reports whether there are ids or filters.
func (f *filter) isNarrow() bool {
	s := &f.selection
	for _, list := range [][]string{f.ids, s.topics, s.reasons, s.scopes, s.causes, s.rules, s.channels, s.fingerprints, s.keys, s.states} {
		if len(list) > 0 {
			return true
		}
	}
	return s.since != "" || s.until != "" || s.limit > 0
}

// required returns an error unless something, or --all, is selected.
func (f *filter) required(verb string) error {
	if !f.isNarrow() && !f.all {
		return base.Misused("nothing selected to %s: use ids, filters such as --reason or --fingerprint, or --all", verb)
	}
	return nil
}

// sources are the topics to read; nil: all.
func (f *filter) sources() []topics.Name {
	var names []topics.Name
	for _, t := range f.topics {
		names = append(names, topics.Name(t))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// closed reports whether closed entries can be selected.
func (f *filter) closed() bool {
	closed := func(s string) bool { return s == everyState || s == string(dlq.Resolved) || s == string(dlq.Discarded) }
	return len(f.states) == 0 && len(f.ids) > 0 || slices.ContainsFunc(f.states, closed)
}

// matches reports whether the flags, except --topic and --limit, select an entry.
func (f *filter) matches(e *dlq.Entry) bool {
	has := func(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
	at := e.LastFailed
	if at.IsZero() && e.Closed != nil {
		at = e.Closed.At
	}
	if e.Closed != nil && !f.closed() {
		return false
	}
	return has(f.reasons, string(e.Reason)) && has(f.scopes, string(e.Scope)) && has(f.causes, string(e.Cause)) &&
		has(f.rules, e.Rule()) && has(f.channels, e.Envelope.Channel) &&
		(len(f.fingerprints) == 0 || slices.Contains(f.fingerprints, e.Fingerprint())) &&
		(len(f.keys) == 0 || slices.Contains(f.keys, keyText(e.Envelope.Source.Key))) &&
		(slices.Contains(f.states, everyState) || has(f.states, string(e.State))) &&
		(f.since.IsZero() || !at.Before(f.since)) && (f.until.IsZero() || !at.After(f.until))
}

// each calls yield for the selected entries, the newest first, until it returns false, and returns how
// many were read. spans bound what is read; nil: up to the current ends. Unless every id selects
// exactly one entry, it returns an error and calls yield for none.
func (f *filter) each(ctx context.Context, r *dlq.Reader, spans []dlq.Span, q dlq.Query, yield func(*dlq.Entry) bool) (seen int, err error) {
	q.Closed = f.closed()
	if spans == nil {
		if spans, err = r.Ends(ctx, f.sources()); err != nil {
			return 0, err
		}
	}
	named := newNamed(f.ids)
	chosen := 0
	take := func(e *dlq.Entry) bool {
		if !f.matches(e) {
			return true
		}
		chosen++
		return yield(e) && (f.limit == 0 || chosen < f.limit)
	}
	err = replay.Each(ctx, r, spans, q, func(e *dlq.Entry) bool {
		seen++
		if named == nil {
			return take(e)
		}
		return !named.add(e)
	})
	if err != nil || named == nil {
		return seen, err
	}
	entries, err := named.entries()
	if err != nil {
		return seen, err
	}
	for _, e := range entries {
		if !take(e) {
			break
		}
	}
	return seen, nil
}

// named finds entries by ids or prefixes of ids.
type named struct {
	ids    []string
	exact  map[string]*dlq.Entry
	begins map[string][]*dlq.Entry // at most two: ambiguous
	counts map[string]int
	order  []*dlq.Entry
}

func newNamed(ids []string) *named {
	if len(ids) == 0 {
		return nil
	}
	n := &named{exact: make(map[string]*dlq.Entry), begins: make(map[string][]*dlq.Entry), counts: make(map[string]int)}
	for _, id := range ids {
		if !slices.Contains(n.ids, id) {
			n.ids = append(n.ids, id)
		}
	}
	return n
}

// add adds an entry that an id selects, and reports whether all are found.
func (n *named) add(e *dlq.Entry) bool {
	kept := false
	for _, id := range n.ids {
		switch {
		case n.exact[id] != nil || !strings.HasPrefix(e.ID, id):
			continue
		case e.ID == id:
			n.exact[id] = e
		default:
			if n.counts[id]++; len(n.begins[id]) == 2 {
				continue
			}
			n.begins[id] = append(n.begins[id], e)
		}
		if !kept {
			kept = true
			n.order = append(n.order, e)
		}
	}
	return len(n.exact) == len(n.ids)
}

// entries returns the found entries in the order of add.
func (n *named) entries() ([]*dlq.Entry, error) {
	selected := make(map[*dlq.Entry]bool)
	var faults []error
	for _, id := range n.ids {
		switch found := n.begins[id]; {
		case n.exact[id] != nil:
			selected[n.exact[id]] = true
		case len(found) == 1:
			selected[found[0]] = true
		default:
			faults = append(faults, &replay.NotFoundError{Prefix: id, Several: found, Count: n.counts[id]})
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return slices.DeleteFunc(n.order, func(e *dlq.Entry) bool { return !selected[e] }), nil
}

// noneText is the message when none of seen entries is selected.
func (f *filter) noneText(seen int) string {
	switch {
	case seen == 0 && f.closed():
		return "no dead letters, and none that were recently closed"
	case seen == 0 && len(f.topics) > 0:
		return "no dead letters of " + strings.Join(f.topics, ", ")
	case seen == 0:
		return "no dead letters"
	}
	text := fmt.Sprintf("these filters match none of %s", plural.Count(seen, "dead letter"))
	for _, c := range f.causes {
		if near := suggest.Closest(c, words(outcome.Causes())); near != "" && !slices.Contains(outcome.Causes(), outcome.Cause(c)) {
			text += fmt.Sprintf(": there is no cause %s, did you mean %s?", term.Visible(c), near)
		}
	}
	return text
}
