package alerts

import (
	"bufio"
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/term"
)

func newTail(g *base.Globals) *cobra.Command {
	var sel selection
	limit := 0
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Show deliveries as they end, until interrupted",
		Long: "Show deliveries as they end, one line each, until interrupted (Ctrl-C), or until --limit of them\n" +
			"are shown.",
		Args: base.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := sel.check(); err != nil {
				return err
			}
			if limit < 0 {
				return base.Misused("--limit %d is not a positive number, or 0 for all", limit)
			}
			ctx := cmd.Context()
			l, err := openLog(g, ctx, dlq.TailOptions()...)
			if err != nil {
				return err
			}
			defer l.client.Close()
			spans, err := l.Spans(ctx, time.Time{}, time.Time{})
			if err != nil {
				return l.explain(err)
			}
			if !g.JSON() {
				fmt.Fprintf(g.IO.Err, "following the delivery log of %s; Ctrl-C ends\n", l.group)
			}
			t := &tail{g: g, out: bufio.NewWriter(g.IO.Out), sel: &sel, left: limit}
			err = l.Follow(ctx, spans, t.put, t.idle)
			if ctx.Err() != nil {
				err = nil // interrupted
			}
			return cmp.Or(t.err, err, t.out.Flush())
		},
	}
	sel.flags(g, cmd)
	cmd.Flags().IntVar(&limit, "limit", 0, "end after this many (0: never)")
	base.Complete(cmd, "limit", base.NoWords)
	return cmd
}

// tail shows deliveries as they end.
type tail struct {
	g    *base.Globals
	out  *bufio.Writer
	sel  *selection
	left int // 0: no limit
	err  error
}

func (t *tail) put(r *deliverylog.Record) bool {
	if !t.sel.selects(r) {
		return true
	}
	if t.g.JSON() {
		t.err = base.NewEncoder(t.out).Encode(r)
	} else {
		_, t.err = t.out.WriteString(t.line(r))
	}
	if t.left--; t.left == 0 {
		return false
	}
	return t.err == nil
}

func (t *tail) idle() bool {
	t.err = cmp.Or(t.err, t.out.Flush())
	return t.err == nil
}

// line is a delivery in one line, which is not cut to the terminal.
func (t *tail) line(r *deliverylog.Record) string {
	fields := []string{
		r.Ended.Local().Format(time.TimeOnly), fmt.Sprintf("%-13s", r.Decision), fmt.Sprintf("%-8s", level(r)), r.Rule, term.OrDash(r.KeyText()), "→ " + r.Channel, term.Cut(r.Text(), 200), brief(r.Alert),
	}
	if why := r.Why(); why != "" {
		fields = append(fields, why)
	}
	line := term.Visible(strings.Join(fields, "  "))
	if term.Coloured(t.g.IO.Out) {
		line = colour(r).Paint(line)
	}
	return line + "\n"
}

func colour(r *deliverylog.Record) term.Colour {
	switch {
	case r.Decision == deliverylog.DeadLettered || level(r) == string(alert.Critical):
		return term.Red
	case r.Decision == deliverylog.Delivered && level(r) == string(alert.Warning):
		return term.Yellow
	case r.Decision != deliverylog.Delivered:
		return term.Faint
	}
	return ""
}
