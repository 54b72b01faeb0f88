package alerts

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/term"
)

func newList(g *base.Globals) *cobra.Command {
	var sel selection
	var when period
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List deliveries that have ended, the newest last",
		Long: "List deliveries that have ended, one line for each alert and channel, the newest last. A delivery\n" +
			"that is still pending is not listed: see 'notifier channels list'.",
		Args: base.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cmp.Or(sel.check(), when.parse(time.Now())); err != nil {
				return err
			}
			if limit < 0 {
				return base.Misused("--limit %d is not a positive number, or 0 for all", limit)
			}
			l, err := openLog(g, cmd.Context())
			if err != nil {
				return err
			}
			defer l.client.Close()
			if g.JSON() && !cmd.Flags().Changed("limit") { // a program gets all of the data
				limit = 0
			}
			out := bufio.NewWriterSize(g.IO.Out, 1<<16)
			defer out.Flush()
			p := &printer{g: g, out: out}
			found, err := l.list(cmd.Context(), &sel, &when, limit, p.put)
			if err = cmp.Or(p.err, err); err != nil {
				return l.explain(err)
			}
			if p.n == 0 {
				fmt.Fprintln(g.IO.Err, when.noneText(found.read))
				return nil
			}
			return p.end(found.selected)
		},
	}
	sel.flags(g, cmd)
	when.flags(cmd, "24h")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most this many, the newest; 0: all, as with -o json")
	base.Complete(cmd, "limit", base.NoWords)
	return cmd
}

// counts are how many deliveries of a period were read and selected.
type counts struct{ read, selected int }

// list calls put for the selected deliveries in the order of their end until it returns
// false. With a limit it holds that many.
func (l *log) list(ctx context.Context, sel *selection, when *period, limit int, put func(*deliverylog.Record) bool) (n counts, err error) {
	spans, err := l.Spans(ctx, when.since, when.until)
	if err != nil {
		return n, err
	}
	var newest []*deliverylog.Record
	next := 0 // in newest, the oldest once it is full
	err = l.Each(ctx, spans, nil, func(r *deliverylog.Record) bool {
		n.read++
		if !sel.selects(r) {
			return true
		}
		n.selected++
		switch {
		case limit == 0:
			return put(r)
		case len(newest) < limit:
			newest = append(newest, r)
		default:
			newest[next] = r
			next = (next + 1) % limit
		}
		return true
	})
	for i := range newest {
		if err != nil || !put(newest[(next+i)%len(newest)]) {
			break
		}
	}
	return n, err
}

// printer prints deliveries as they come: as JSON, or as a table whose widths the first
// page sets.
type printer struct {
	g      *base.Globals
	out    *bufio.Writer
	first  []*deliverylog.Record // page, not printed yet
	table  *term.Table           // nil: nothing is printed yet
	narrow bool                  // key and title are below each row
	n      int
	last   string // the alert that was printed last
	err    error
}

// pageSize is how many deliveries determine the widths.
const pageSize = 50

func (p *printer) put(r *deliverylog.Record) bool {
	p.n++
	p.last = r.Alert
	switch {
	case p.g.JSON():
		p.err = base.NewEncoder(p.out).Encode(r)
	case p.table != nil:
		p.add(r)
		p.table.Write(p.out, p.g.Width())
	default:
		if p.first = append(p.first, r); len(p.first) == pageSize {
			p.page()
			p.err = p.out.Flush()
		}
	}
	return p.err == nil
}

// The columns of the list.
const (
	columnTime = iota
	columnDecision
	columnSeverity
	columnRule
	columnKey
	columnChannel
	columnTries
	columnTitle
	columnAlert
)

// wide is the columns from which on each delivery takes one line. On narrower terminals
// its key and title have a line of their own.
const wide = 100

func (p *printer) page() {
	p.table = &term.Table{
		Head:     []string{"ENDED " + term.Zone(p.first[0].Ended), "DECISION", "SEVERITY", "RULE", "KEY", "CHANNEL", "TRIES", "TITLE", "ALERT"},
		Elastic:  []int{columnRule, columnKey, columnChannel, columnTitle},
		Optional: []int{columnTries, columnTitle},
		Right:    []int{columnTries},
	}
	p.narrow = p.g.Width() < wide
	if p.narrow {
		p.table = &term.Table{Head: short(p.table.Head), Elastic: []int{columnRule, columnRule + 1}}
	}
	for _, r := range p.first {
		p.add(r)
	}
	p.table.Room(columnDecision, len(deliverylog.DeadLettered))
	p.table.Room(columnSeverity, len("critical"))
	p.first = nil
	p.table.Write(p.out, p.g.Width())
}

func (p *printer) add(r *deliverylog.Record) {
	if !p.narrow {
		p.table.Add(row(r)...)
		return
	}
	cells := row(r)
	p.table.Add(short(cells)...)
	p.table.Note(cells[columnKey] + "  " + cells[columnTitle])
}

// short returns the cells of a row without key, tries and title.
func short(row []string) []string {
	return []string{row[columnTime], row[columnDecision], row[columnSeverity], row[columnRule], row[columnChannel], row[columnAlert]}
}

func row(r *deliverylog.Record) []string {
	tries := "–"
	if n := r.Tried(); n > 0 {
		tries = fmt.Sprint(n)
	}
	return []string{
		term.Short(r.Ended), string(r.Decision), level(r), r.Rule, term.OrDash(term.Cut(r.KeyText(), 64)), r.Channel,
		tries, term.Cut(r.Text(), 200), brief(r.Alert),
	}
}

// level is the severity, or that the alert is a resolved one, as a channel shows it.
func level(r *deliverylog.Record) string {
	if r.State != "" {
		return r.State
	}
	return r.Severity
}

// end prints the rest, says whether it is all of the selected deliveries, and suggests a
// command.
func (p *printer) end(selected int) error {
	if p.g.JSON() {
		return p.out.Flush()
	}
	if p.table == nil {
		p.page()
	}
	if err := p.out.Flush(); err != nil {
		return err
	}
	shown := plural.Verb(p.n, "delivery", "deliveries")
	if p.n < selected {
		shown = fmt.Sprintf("the newest %s of %s, --limit 0 lists all", humanize.Comma(int64(p.n)), plural.Verb(selected, "delivery", "deliveries"))
	}
	fmt.Fprintf(p.g.IO.Err, "\n%s; show an alert: %s alerts show %s\n", shown, p.g.Self(), base.Quote(brief(p.last)))
	return nil
}
