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
	"github.com/algotrade/notifier/internal/term"
)

func newWatch(g *base.Globals) *cobra.Command {
	var sel selection
	cmd := &cobra.Command{
		Use:   "watch [ID…]",
		Short: "Show dead letters as they come, and as they are closed, until it is stopped",
		Long: "Show dead letters as they come, and as they are sent again or closed, until it is stopped (Ctrl-C) or\n" +
			"has shown --limit of them.",
		RunE: func(cmd *cobra.Command, args []string) error {
			filter, err := sel.filter(args, time.Now())
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			letters, err := openLetters(g, ctx, dlq.TailOptions()...)
			if err != nil {
				return err
			}
			defer letters.client.Close()
			spans, err := letters.Ends(ctx, filter.sources())
			if err != nil {
				return err
			}
			w := watching{g: g, out: bufio.NewWriter(g.IO.Out), filter: filter, known: newIDSet()}
			// What was there before is read for the entries that are closed or come
			// back: a tombstone says nothing of the entry but its id.
			err = letters.EachOf(ctx, spans, dlq.Query{Brief: true}, w.remember)
			if err == nil {
				if !g.JSON() {
					fmt.Fprintf(g.IO.Err, "watching the dead letters of %s, %d of them there now; Ctrl-C ends\n", letters.group, w.known.len())
				}
				err = letters.Watch(ctx, spans, w.put, w.idle)
			}
			if ctx.Err() != nil {
				err = nil // it was told to end
			}
			return cmp.Or(w.err, err, w.out.Flush())
		},
	}
	sel.flags(cmd)
	return cmd
}

// watching shows changes as they are written.
type watching struct {
	g      *base.Globals
	out    *bufio.Writer
	filter *filter
	known  idSet // the entries that are meant and not closed
	shown  int
	err    error
}

// remember takes note of an entry that was there before.
func (w *watching) remember(e *dlq.Entry) bool {
	if w.meant(e) {
		w.known.add(e.Topic, e.ID)
	}
	return true
}

// meant reports whether an entry is chosen, whatever its state is by now.
func (w *watching) meant(e *dlq.Entry) bool {
	begins := func(id string) bool { return strings.HasPrefix(e.ID, id) }
	if len(w.filter.ids) > 0 && !slices.ContainsFunc(w.filter.ids, begins) {
		return false
	}
	any := *w.filter
	any.states = []string{everyState}
	return any.matches(e)
}

// wanted reports whether a state is chosen; all are where none is asked for.
func (w *watching) wanted(s dlq.State) bool {
	return len(w.filter.states) == 0 || slices.Contains(w.filter.states, everyState) || slices.Contains(w.filter.states, string(s))
}

// put shows a change and reports whether to go on.
func (w *watching) put(c *dlq.Entry) bool {
	event, state := "opened", dlq.Open
	switch {
	case c.Closed != nil:
		if !w.known.remove(c.Topic, c.ID) { // closed again, or a delivery that was made after all and never was an entry
			return true
		}
		event, state = string(c.Closed.State), c.Closed.State
	case !w.meant(c):
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

// idle writes out what was shown, once there is no more for now.
func (w *watching) idle() bool {
	w.err = cmp.Or(w.err, w.out.Flush())
	return w.err == nil
}

// changeJSON is a change for programs: an entry, or how it was closed.
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
		return closedJSON{event, c.ID, string(c.Closed.State), base.Instant(c.Closed.At), c.Closed.By, c.Closed.Comment, c.Closed.EditedBy}
	}
	return changeJSON{event, toJSON(c)}
}

// line shows a change like dev's screen shows a dead letter: when, what, where,
// why, and the command to look at it.
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
			text = fmt.Sprintf("quarantined after %s: %s", term.Count(e.Replays, "replay"), text)
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
