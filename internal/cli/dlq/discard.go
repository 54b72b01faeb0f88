package dlq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/term"
)

func newDiscard(g *base.Globals) *cobra.Command {
	var sel selection
	var ok base.Consent
	var comment string
	var force bool
	cmd := &cobra.Command{
		Use:   "discard [ID…] -m TEXT",
		Short: "Close dead letters without sending them, and say why",
		Long: "Close dead letters without sending them. The comment says why; it is kept, with who did it and when,\n" +
			"for as long as the topic keeps what is deleted (seven days): see 'dlq list --state discarded -o json'.",
		RunE: func(cmd *cobra.Command, args []string) error {
			filter, err := sel.filter(args, time.Now())
			if err != nil {
				return err
			}
			if strings.TrimSpace(comment) == "" {
				return base.Misused(`say why with -m, such as -m "test data of Monday": whoever looks later wants to know`)
			}
			if err := cmp.Or(filter.must("discard"), ok.Possible(g)); err != nil {
				return err
			}
			letters, err := openLetters(g, cmd.Context())
			if err != nil {
				return err
			}
			defer letters.client.Close()
			d := discard{g: g, letters: letters, force: force, closing: dlq.Closing{State: dlq.Discarded, By: base.User(), Comment: strings.TrimSpace(comment)}}
			return d.run(cmd.Context(), filter, ok)
		},
	}
	sel.flags(cmd)
	sel.allFlag(cmd)
	ok.Flags(cmd)
	cmd.Flags().StringVarP(&comment, "comment", "m", "", "why, for whoever looks later")
	cmd.Flags().BoolVar(&force, "force", false, "those too that wait for a replay: they may be sent all the same")
	return cmd
}

// discard closes entries.
type discard struct {
	g       *base.Globals
	letters *letters
	force   bool
	closing dlq.Closing

	stats           dlq.Stats
	entries         []place
	waiting, closed int
}

// place is where an entry stands, in as few bytes as it takes: a million may
// be meant.
type place struct {
	topic     string
	partition int32
	key       string
}

func (d *discard) run(ctx context.Context, f *filter, ok base.Consent) error {
	seen, err := f.each(ctx, d.letters.Reader, nil, dlq.Query{Brief: true}, d.take)
	if err != nil {
		return err
	}
	if len(d.entries) == 0 {
		d.leftOut()
		if d.waiting+d.closed > 0 {
			return base.Fail(base.ExitFailed, "no dead letter is left to discard")
		}
		return base.Fail(base.ExitFailed, "%s", f.nothing(seen))
	}
	what := term.Many(int64(len(d.entries)), "dead letter")
	if !d.g.JSON() {
		printGroups(d.g, d.stats.Groups())
		d.leftOut()
	}
	done := 0
	if goOn, err := ok.Ask(ctx, d.g, "discard "+what); err != nil {
		return err
	} else if goOn {
		if done, err = d.write(ctx); err != nil {
			return fmt.Errorf("%d of %s discarded, then: %w; the same command does the rest", done, what, err)
		}
	}
	if d.g.JSON() {
		return base.NewEncoder(d.g.IO.Out).Encode(map[string]any{
			"meant": len(d.entries), "discarded": done, "left_out_waiting": d.waiting, "left_out_closed": d.closed,
		})
	}
	if done > 0 {
		fmt.Fprintf(d.g.IO.Err, "%s discarded\n", what)
	}
	return nil
}

func (d *discard) take(e *dlq.Entry) bool {
	switch {
	case e.Closed != nil:
		d.closed++
	case e.State == dlq.Waiting && !d.force:
		d.waiting++
	default:
		d.stats.Add(e)
		d.entries = append(d.entries, place{e.Topic, e.Partition, string(e.Key)})
	}
	return true
}

func (d *discard) leftOut() {
	if d.waiting > 0 {
		fmt.Fprintf(d.g.IO.Err, "%s for a replay: left out (--force takes them too)\n", term.Verb(d.waiting, "waits", "wait"))
	}
	if d.closed > 0 {
		fmt.Fprintf(d.g.IO.Err, "%s closed already: left out\n", term.Verb(d.closed, "is", "are"))
	}
}

// closeBatch is how many tombstones are written at once.
const closeBatch = 1000

// write closes the entries and returns how many are certainly closed.
func (d *discard) write(ctx context.Context) (done int, err error) {
	w := d.letters.writer()
	bar := d.g.Bar("discarding", "dead letters")
	bar.Expect(len(d.entries))
	defer bar.Finish()
	d.closing.At = time.Now()
	batch := make([]*dlq.Closure, 0, closeBatch)
	for done < len(d.entries) {
		batch = batch[:0]
		for _, p := range d.entries[done:min(done+closeBatch, len(d.entries))] {
			batch = append(batch, &dlq.Closure{Topic: p.topic, Partition: p.partition, Key: []byte(p.key), Closing: d.closing})
		}
		if err := w.CloseEntries(ctx, batch...); err != nil {
			if cause := context.Cause(ctx); errors.Is(cause, base.ErrSignal) {
				err = cause
			}
			return done, err
		}
		done += len(batch)
		bar.Add(len(batch))
	}
	return done, nil
}
