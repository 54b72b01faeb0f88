package dlq

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rivo/uniseg"
	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/term"
)

func newWatch(g *base.Globals) *cobra.Command {
	var sel selection
	cmd := &cobra.Command{
		Use:   "watch [ID…]",
		Short: "Show new and closed dead letters until interrupted",
		Long:  "Show new, replayed and closed dead letters until interrupted (Ctrl-C), or until --limit of them are shown.",
		RunE: func(cmd *cobra.Command, args []string) error {
			filter, err := sel.filter(args, time.Now())
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			st, err := openStore(g, ctx, dlq.TailOptions()...)
			if err != nil {
				return err
			}
			defer st.client.Close()
			spans, err := st.Ends(ctx, filter.sources())
			if err != nil {
				return err
			}
			w := watching{g: g, out: bufio.NewWriter(g.IO.Out), filter: filter, known: newIDSet()}
			// Existing entries are read first: a tombstone only has the id of its entry.
			err = st.EachOf(ctx, spans, dlq.Query{Brief: true}, w.remember)
			if err == nil {
				if !g.JSON() {
					fmt.Fprintf(g.IO.Err, "watching the dead letters of %s, %d open now; Ctrl-C ends\n", st.group, w.known.len())
				}
				err = st.Watch(ctx, spans, w.put, w.idle)
			}
			if ctx.Err() != nil {
				err = nil // interrupted
			}
			return cmp.Or(w.err, err, w.out.Flush())
		},
	}
	sel.flags(cmd)
	sel.complete(g, cmd)
	cmd.ValidArgsFunction = completeID(g)
	return cmd
}

// watching shows changes as they are written.
type watching struct {
	g      *base.Globals
	out    *bufio.Writer
	filter *filter
	known  idSet // selected open entries
	shown  int
	err    error
}

// remember records an existing entry.
func (w *watching) remember(e *dlq.Entry) bool {
	if w.selects(e) {
		w.known.add(e.Topic, e.ID)
	}
	return true
}

// selects reports whether the filter selects an entry, apart from its state.
func (w *watching) selects(e *dlq.Entry) bool {
	begins := func(id string) bool { return strings.HasPrefix(e.ID, id) }
	if len(w.filter.ids) > 0 && !slices.ContainsFunc(w.filter.ids, begins) {
		return false
	}
	any := *w.filter
	any.states = []string{everyState}
	return any.matches(e)
}

// wanted reports whether a state is selected; by default all are.
func (w *watching) wanted(s dlq.State) bool {
	return len(w.filter.states) == 0 || slices.Contains(w.filter.states, everyState) || slices.Contains(w.filter.states, string(s))
}

// put shows a change and reports whether to continue.
func (w *watching) put(c *dlq.Entry) bool {
	event, state := "opened", dlq.Open
	switch {
	case c.Closed != nil:
		if !w.known.remove(c.Topic, c.ID) { // closed before, or never an entry
			return true
		}
		event, state = string(c.Closed.State), c.Closed.State
	case !w.selects(c):
		return true
	default:
		state = c.State
		if w.known.has(c.Topic, c.ID) || c.Replays > 0 {
			event = "reopened"
		}
		w.known.add(c.Topic, c.ID)
	}
	if !w.wanted(state) {
		return true
	}
	if w.g.JSON() {
		w.err = base.NewEncoder(w.out).Encode(w.object(event, c))
	} else {
		w.line(event, c)
	}
	w.shown++
	return w.err == nil && (w.filter.limit == 0 || w.shown < w.filter.limit)
}

// idle flushes the output.
func (w *watching) idle() bool {
	w.err = cmp.Or(w.err, w.out.Flush())
	return w.err == nil
}

// changeJSON and closedJSON are the JSON of a change.
type changeJSON struct {
	Event string `json:"event"`
	entryJSON
}

type closedJSON struct {
	Event    string     `json:"event"`
	ID       string     `json:"id"`
	State    string     `json:"state"`
	ClosedAt *time.Time `json:"closed_at"`
	ClosedBy string     `json:"closed_by"`
	Comment  string     `json:"comment"`
	EditedBy string     `json:"edited_by,omitempty"`
}

func (w *watching) object(event string, c *dlq.Entry) any {
	if c.Closed != nil {
		return closedJSON{event, c.ID, string(c.Closed.State), base.OptionalTime(c.Closed.At), c.Closed.By, c.Closed.Comment, c.Closed.EditedBy}
	}
	return changeJSON{event, toJSON(c)}
}

// line shows a change like the screen of dev.
func (w *watching) line(event string, c *dlq.Entry) {
	var at time.Time
	var where, text string
	if c.Closed != nil {
		at, text = c.Closed.At, "by "+term.OrDash(c.Closed.By)
		if c.Closed.Comment != "" {
			text += ": " + c.Closed.Comment
		}
	} else {
		e := c
		at, where, text = e.LastFailed, e.Where(), e.Detail
		switch e.State {
		case dlq.Quarantined:
			text = fmt.Sprintf("quarantined after %s: %s", plural.Count(e.Replays, "replay"), text)
		case dlq.Malformed:
			text = "malformed: " + text
		}
	}
	command := "dlq show " + base.Quote(brief(c.ID, longID))
	start := fmt.Sprintf(" %s  %-9s  ", at.Local().Format(time.TimeOnly), event)
	if where != "" {
		start += term.CutSource(term.Visible(where), 32) + "  "
	}
	room := max(w.g.Width()-uniseg.StringWidth(start)-len("  ")-uniseg.StringWidth(command), 10)
	text = term.Cut(term.Visible(term.Cut(text, 200)), room)
	line := start + text + strings.Repeat(" ", room-uniseg.StringWidth(text)) + "  " + command
	if c.Closed != nil && term.IsTerminal(w.g.IO.Out) {
		line = term.Faint.Paint(line)
	}
	_, w.err = io.WriteString(w.out, line+"\n")
}
