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
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

// selection are the flags that choose dead letters, the same for every
// command.
type selection struct {
	topics, reasons, scopes, causes, rules, channels, fingerprints, keys, states []string
	since, until                                                                 string
	limit                                                                        int
	all                                                                          bool
}

// everyState is what --state says for closed entries too.
const everyState = "all"

func (s *selection) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&s.topics, "topic", nil, "of these source topics")
	f.StringSliceVar(&s.reasons, "reason", nil, "with these reasons, such as undecodable, refused or exhausted")
	f.StringSliceVar(&s.scopes, "scope", nil, "with these scopes: "+strings.Join(words(scopes), ", "))
	f.StringSliceVar(&s.causes, "cause", nil, "with these causes, such as truncated or payload-refused")
	f.StringSliceVar(&s.rules, "rule", nil, "of these rules")
	f.StringSliceVar(&s.channels, "channel", nil, "for these channels")
	f.StringSliceVar(&s.fingerprints, "fingerprint", nil, "with these fingerprints: entries that failed alike")
	f.StringArrayVar(&s.keys, "key", nil, "with this record `key`; more than once for several")
	f.StringSliceVar(&s.states, "state", nil, "in these states: "+strings.Join(stateWords(), ", "))
	f.StringVar(&s.since, "since", "", "failed since `WHEN`: a duration (2h) or a time (RFC 3339)")
	f.StringVar(&s.until, "until", "", "failed until `WHEN`: a duration (2h) or a time (RFC 3339)")
	f.IntVar(&s.limit, "limit", 0, "at most this many, the newest (0: all)")
}

// allFlag is for commands that do not take everything when nothing is said.
func (s *selection) allFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.all, "all", false, "all of them: said where neither ids nor filters are given")
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

// filter is a selection whose words have been checked. Entries that are
// resolved or discarded are chosen only where their state or their id is asked
// for.
type filter struct {
	selection
	ids          []string
	since, until time.Time
}

// filter checks the flags and takes the arguments as ids or their beginnings.
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
	if f.since, err = parseWhen(s.since, now); err != nil {
		return nil, base.Misused("--since: %w", err)
	}
	if f.until, err = parseWhen(s.until, now); err != nil {
		return nil, base.Misused("--until: %w", err)
	}
	if s.limit < 0 {
		return nil, base.Misused("--limit %d: give a positive number, or 0 for all", s.limit)
	}
	if slices.Contains(ids, "") {
		return nil, base.Misused("an id is empty: give at least its beginning")
	}
	if s.all && f.narrow() {
		return nil, base.Misused("--all goes with neither ids nor filters")
	}
	return f, nil
}

func unknownWord(flag, word string, choice []string) error {
	meant := suggest.Closest(word, choice)
	if flag == "topic" {
		if name, ok := topics.Correct(word); ok {
			meant = string(name)
		}
	}
	if meant != "" {
		return base.Misused("--%s %q is not known: did you mean %s?", flag, word, meant)
	}
	return base.Misused("--%s %q is not known: choose from %s", flag, word, strings.Join(choice, ", "))
}

func parseWhen(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return now.Add(-d.Abs()), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a duration such as 2h nor a time such as 2026-11-23T14:31:05Z", s)
	}
	return t, nil
}

// narrow reports whether anything but --all was said about what is meant.
func (f *filter) narrow() bool {
	s := &f.selection
	for _, list := range [][]string{f.ids, s.topics, s.reasons, s.scopes, s.causes, s.rules, s.channels, s.fingerprints, s.keys, s.states} {
		if len(list) > 0 {
			return true
		}
	}
	return s.since != "" || s.until != "" || s.limit > 0
}

// must is for commands that change what they are given: everything is meant
// only where that is said.
func (f *filter) must(verb string) error {
	if !f.narrow() && !f.all {
		return base.Misused("say which dead letters to %s: ids, filters such as --reason or --fingerprint, or --all", verb)
	}
	return nil
}

// sources are the topics to read; nil: all.
func (f *filter) sources() []topics.Name {
	var names []topics.Name
	for _, t := range f.topics {
		if !slices.Contains(names, topics.Name(t)) {
			names = append(names, topics.Name(t))
		}
	}
	return names
}

// closed reports whether closed entries can be meant.
func (f *filter) closed() bool {
	closed := func(s string) bool { return s == everyState || s == string(dlq.Resolved) || s == string(dlq.Discarded) }
	return len(f.states) == 0 && len(f.ids) > 0 || slices.ContainsFunc(f.states, closed)
}

// matches reports whether an entry is meant by the flags, ids, topics and
// --limit apart.
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

// each calls yield for the entries that are meant, the newest first, until it
// returns false, and returns how many were looked at. spans bound what is
// read; nil: as far as the topics are written now. Every id must mean exactly
// one entry: else the error says which does not, and nothing is yielded.
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
		return !named.look(e)
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

// named finds the entries that ids, or the beginnings of ids, mean.
type named struct {
	ids    []string
	exact  map[string]*dlq.Entry
	begins map[string][]*dlq.Entry // two at most: then it is ambiguous
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

// look takes an entry into account and reports whether all are found.
func (n *named) look(e *dlq.Entry) bool {
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

// entries returns what was found, in the order it was looked at.
func (n *named) entries() ([]*dlq.Entry, error) {
	meant := make(map[*dlq.Entry]bool)
	var faults []error
	for _, id := range n.ids {
		switch found := n.begins[id]; {
		case n.exact[id] != nil:
			meant[n.exact[id]] = true
		case len(found) == 1:
			meant[found[0]] = true
		default:
			faults = append(faults, &replay.NotFoundError{Prefix: id, Several: found, Count: n.counts[id]})
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return slices.DeleteFunc(n.order, func(e *dlq.Entry) bool { return !meant[e] }), nil
}

// nothing says that no entry is meant, of so many that were looked at.
func (f *filter) nothing(seen int) string {
	switch {
	case seen == 0 && f.closed():
		return "no dead letters, and none that were closed lately"
	case seen == 0 && len(f.topics) > 0:
		return "no dead letters of " + strings.Join(f.topics, ", ")
	case seen == 0:
		return "no dead letters"
	}
	text := fmt.Sprintf("these filters match none of %s", term.Many(int64(seen), "dead letter"))
	for _, c := range f.causes {
		if meant := suggest.Closest(c, words(outcome.Causes())); meant != "" && !slices.Contains(outcome.Causes(), outcome.Cause(c)) {
			text += fmt.Sprintf(": there is no cause %s, did you mean %s?", term.Visible(c), meant)
		}
	}
	return text
}
