package dlq

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/term"
)

func newList(g *base.Globals) *cobra.Command {
	var sel selection
	cmd := &cobra.Command{
		Use:   "list [ID…]",
		Short: "List dead letters, the newest first",
		Long: "List dead letters, the newest first, without resolved and discarded ones unless --state is set.\n" +
			"An id may be abbreviated to a unique prefix.",
		RunE: func(cmd *cobra.Command, ids []string) error {
			return sel.withStore(g, cmd, ids, func(ctx context.Context, st *store, f *filter) error {
				out := bufio.NewWriterSize(g.IO.Out, 1<<16)
				defer out.Flush()
				if g.JSON() {
					enc := base.NewEncoder(out)
					var failed error
					_, err := f.each(ctx, st.Reader, nil, dlq.Query{}, func(e *dlq.Entry) bool {
						failed = enc.Encode(toJSON(e))
						return failed == nil
					})
					return cmp.Or(failed, err)
				}
				l := listing{g: g, out: out, now: time.Now()}
				seen, err := f.each(ctx, st.Reader, nil, dlq.Query{Brief: true}, l.put)
				if err != nil {
					return cmp.Or(out.Flush(), err)
				}
				return cmp.Or(l.end(f, seen), out.Flush())
			})
		},
	}
	sel.flags(cmd)
	sel.complete(g, cmd)
	cmd.ValidArgsFunction = completeID(g)
	return cmd
}

// pageSize is the number of entries that determine the column widths.
const pageSize = 50

// listing prints entries as they are read; the first page sets the widths.
type listing struct {
	g     *base.Globals
	out   *bufio.Writer
	now   time.Time
	first []*dlq.Entry // page, not printed yet
	n     int
	table *term.Table // nil: nothing printed yet
	show  string      // a suggested id
}

func (l *listing) put(e *dlq.Entry) bool {
	l.n++
	if l.table != nil {
		l.add(e, brief(e.ID, longID))
		l.table.Write(l.out, l.g.Width())
		return true
	}
	if len(l.first) < pageSize {
		l.first = append(l.first, e)
		return true
	}
	l.page(func(e *dlq.Entry) string { return brief(e.ID, longID) }, false)
	l.n--
	return l.out.Flush() == nil && l.put(e)
}

// The columns of the list.
const (
	columnSource = iota + 2
	columnKey
	columnReason
	columnCause
	columnRule
	columnChannel
	columnState
	columnReplays
)

// page prints the first page. all: it is the only page.
func (l *listing) page(id func(*dlq.Entry) string, all bool) {
	l.table = &term.Table{
		Head:     []string{"ID", "AGE", "SOURCE", "KEY", "REASON", "CAUSE", "RULE", "CHANNEL", "STATE", "REPLAYS"},
		Elastic:  []int{columnSource, columnKey, columnRule, columnChannel},
		Optional: []int{columnReason, columnReplays, columnKey, columnSource}, // the cause implies the reason
		Source:   columnSource,
	}
	for _, e := range l.first {
		l.add(e, id(e))
	}
	if !all {
		l.table.Room(columnReason, longestOf(outcome.Reasons()))
		l.table.Room(columnCause, longestOf(outcome.Causes()))
		l.table.Room(columnState, longestOf(dlq.States()))
	}
	l.show = id(l.first[0])
	l.first = nil
	l.table.Write(l.out, l.g.Width())
}

// longestOf returns the length of the longest of some names.
func longestOf[T ~string](names []T) (n int) {
	for _, name := range names {
		n = max(n, len(name))
	}
	return n
}

// add adds an entry to the table, with a note of the recipients or the part of a schema
// that it is about, or of how it was closed.
func (l *listing) add(e *dlq.Entry, id string) {
	l.table.Add(l.row(e, id)...)
	if e.Cause == outcome.Schema {
		l.table.Note(e.Detail)
	}
	if len(e.Recipients) > 0 {
		l.table.Note("for " + strings.Join(e.Recipients, ", "))
	}
	if c := e.Closed; c != nil {
		l.table.Note(term.Age(l.now.Sub(c.At)) + " ago by " + term.OrDash(c.By) + prefixed(": ", c.Comment))
	}
}

func (l *listing) row(e *dlq.Entry, id string) []string {
	at := e.LastFailed
	if at.IsZero() && e.Closed != nil {
		at = e.Closed.At
	}
	return []string{
		id, term.Age(l.now.Sub(at)), e.Where(), term.Cut(keyText(e.Envelope.Source.Key), 64), term.OrDash(string(e.Reason)),
		term.OrDash(string(e.Cause)), term.OrDash(e.Rule()), term.OrDash(e.Envelope.Channel), string(e.State), fmt.Sprint(e.Replays),
	}
}

// end prints the rest and suggests a command.
func (l *listing) end(f *filter, seen int) error {
	if l.n == 0 {
		fmt.Fprintln(l.g.IO.Err, f.noneText(seen))
		return nil
	}
	if l.table == nil {
		id := func(e *dlq.Entry) string { return brief(e.ID, longID) }
		if seen <= pageSize { // all entries are known
			short := shortIDs(l.first)
			id = func(e *dlq.Entry) string { return short[e.ID] }
		}
		l.page(id, true)
	}
	if err := l.out.Flush(); err != nil {
		return err
	}
	if l.n > pageSize {
		fmt.Fprintf(l.g.IO.Err, "\n%s; group them by cause: %s dlq stats\n", plural.Count(l.n, "dead letter"), l.g.Self())
	} else {
		fmt.Fprintf(l.g.IO.Err, "\nshow one: %s dlq show %s\n", l.g.Self(), base.Quote(l.show))
	}
	return nil
}

// shortIDs returns the shortest unique prefix of each id, at least 7 characters.
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
		short[id] = brief(id, n)
	}
	return short
}
