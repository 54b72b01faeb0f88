package dlq

import (
	"bufio"
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/term"
)

func newList(g *base.Globals) *cobra.Command {
	var sel selection
	cmd := &cobra.Command{
		Use:   "list [ID…]",
		Short: "List dead letters, the newest first",
		Long: "List dead letters, the newest first: those that are not closed, unless --state says otherwise.\n" +
			"The beginning of an id is enough where no other begins so.",
		RunE: func(cmd *cobra.Command, args []string) error {
			filter, err := sel.filter(args, time.Now())
			if err != nil {
				return err
			}
			letters, err := openLetters(g, cmd.Context())
			if err != nil {
				return err
			}
			defer letters.client.Close()
			out := bufio.NewWriterSize(g.IO.Out, 1<<16)
			defer out.Flush()
			if g.JSON() {
				enc := newEntryEncoder(out)
				_, err := filter.each(cmd.Context(), letters.Reader, nil, dlq.Query{}, enc.put)
				return cmp.Or(enc.err, err)
			}
			l := listing{g: g, out: out, now: time.Now()}
			seen, err := filter.each(cmd.Context(), letters.Reader, nil, dlq.Query{Brief: true}, l.put)
			if err != nil {
				return cmp.Or(out.Flush(), err)
			}
			return cmp.Or(l.end(filter, seen), out.Flush())
		},
	}
	sel.flags(cmd)
	return cmd
}

// pageSize is how many entries decide the widths of the columns.
const pageSize = 50

// listing prints entries as they come: the first page at once, with widths that
// the rest keeps.
type listing struct {
	g     *base.Globals
	out   *bufio.Writer
	now   time.Time
	first []*dlq.Entry // the page that is not printed yet
	n     int
	table *term.Table // nil: nothing is printed yet
	show  string      // an id to look at
	cause bool        // causes are shown
}

func (l *listing) put(e *dlq.Entry) bool {
	l.n++
	if l.table != nil {
		l.add(e, brief(e.ID, longID))
		l.table.Write(l.out, l.g.Width())
		return true
	}
	if len(l.first) == pageSize { // this one does not fit: ids are not unique among all
		l.page(func(e *dlq.Entry) string { return brief(e.ID, longID) }, false)
		return l.out.Flush() == nil && l.repeat(e)
	}
	l.first = append(l.first, e)
	return true
}

func (l *listing) repeat(e *dlq.Entry) bool {
	l.n--
	return l.put(e)
}

// page prints the first page and decides on the columns: causes have one where
// it is no loss to the others. all: nothing comes after it.
func (l *listing) page(id func(*dlq.Entry) string, all bool) {
	for _, l.cause = range []bool{true, false} {
		l.table = &term.Table{Head: []string{"ID", "AGE", "SOURCE", "KEY", "REASON", "RULE", "CHANNEL", "STATE", "REPLAYS"}, Elastic: []int{2, 3, 5, 6}, Source: 2}
		if l.cause {
			l.table.Head = slices.Insert(l.table.Head, 5, "CAUSE")
			l.table.Elastic = []int{2, 3, 6, 7}
		}
		for _, e := range l.first {
			l.add(e, id(e))
		}
		if !all {
			l.table.Room(slices.Index(l.table.Head, "REASON"), len("undecodable"))
			l.table.Room(slices.Index(l.table.Head, "STATE"), len("quarantined"))
		}
		if _, total := l.table.Natural(); total <= l.g.Width() {
			break
		}
	}
	l.show = id(l.first[0])
	l.first = nil
	l.table.Write(l.out, l.g.Width())
}

// add puts an entry into the table; below a closed one stands by whom and why.
func (l *listing) add(e *dlq.Entry, id string) {
	l.table.Add(l.row(e, id)...)
	if c := e.Closed; c != nil {
		l.table.Note(term.Age(l.now.Sub(c.At)) + " ago by " + term.OrDash(c.By) + prefixed(": ", c.Comment))
	}
}

func (l *listing) row(e *dlq.Entry, id string) []string {
	at := e.LastFailed
	if at.IsZero() && e.Closed != nil {
		at = e.Closed.At
	}
	row := []string{
		id, term.Age(l.now.Sub(at)), e.Where(), term.Cut(keyText(e.Envelope.Source.Key), 64), term.OrDash(string(e.Reason)),
		term.OrDash(e.Rule()), term.OrDash(e.Envelope.Channel), string(e.State), fmt.Sprint(e.Replays),
	}
	if l.cause {
		row = slices.Insert(row, 5, term.OrDash(string(e.Cause)))
	}
	return row
}

// end prints what is left, and what to do next.
func (l *listing) end(f *filter, seen int) error {
	if l.n == 0 {
		fmt.Fprintln(l.g.IO.Err, f.nothing(seen))
		return nil
	}
	if l.table == nil {
		id := func(e *dlq.Entry) string { return brief(e.ID, longID) }
		if seen <= pageSize { // all there are were seen: no other begins so
			short := shortIDs(l.first)
			id = func(e *dlq.Entry) string { return short[e.ID] }
		}
		l.page(id, true)
	}
	if err := l.out.Flush(); err != nil {
		return err
	}
	if l.n > pageSize {
		fmt.Fprintf(l.g.IO.Err, "\n%s; what they have in common: %s dlq stats\n", term.Many(int64(l.n), "dead letter"), l.g.Self())
	} else {
		fmt.Fprintf(l.g.IO.Err, "\nlook at one: %s dlq show %s\n", l.g.Self(), base.Quote(l.show))
	}
	return nil
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
		short[id] = brief(id, n)
	}
	return short
}
