package dlq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

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
	spans           []dlq.Span       // what was written since the entries were read begins at their ends
	newer           map[string]int64 // the versions written since then, by topic and key
	again           int              // entries that failed again meanwhile, and stay open
}

// place is where an entry stands, in as few bytes as it takes: a million may
// be meant.
type place struct {
	topic     string
	partition int32
	key       string
	version   int64
}

func (d *discard) run(ctx context.Context, f *filter, ok base.Consent) error {
	var err error
	if d.spans, err = d.letters.Ends(ctx, f.sources()); err != nil {
		return err
	}
	seen, err := f.each(ctx, d.letters.Reader, d.spans, dlq.Query{Brief: true}, d.take)
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
			"meant": len(d.entries), "discarded": done - d.again, "failed_again": d.again, "left_out_waiting": d.waiting, "left_out_closed": d.closed,
		})
	}
	if done > 0 {
		fmt.Fprintf(d.g.IO.Err, "%s discarded\n", term.Many(int64(done-d.again), "dead letter"))
	}
	if d.again > 0 {
		fmt.Fprintf(d.g.IO.Err, "%d failed again meanwhile: left open\n", d.again)
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
		d.entries = append(d.entries, place{e.Topic, e.Partition, string(e.Key), e.Offset})
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

// write closes the entries, as they were read, and returns for how many that is
// certain.
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
			c := &dlq.Closure{Topic: p.topic, Partition: p.partition, Key: []byte(p.key), Closing: d.closing}
			c.Below = p.version + 1
			batch = append(batch, c)
		}
		err := w.CloseEntries(ctx, batch...)
		if err == nil {
			err = d.keepNewer(ctx, batch)
		}
		if err != nil {
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

// keepNewer writes the versions again that came between reading the entries and
// closing them: the brokers would delete them, since a tombstone of their key
// follows.
func (d *discard) keepNewer(ctx context.Context, closed []*dlq.Closure) error {
	if d.newer == nil {
		d.newer = make(map[string]int64)
	}
	ends, err := d.letters.Spans(ctx, topicsOf(d.spans)...)
	if err != nil {
		return err
	}
	for i := range d.spans {
		s := &d.spans[i]
		s.Start, s.End = s.End, ends[i].End
		if err := d.letters.Scan(ctx, *s, func(r *kgo.Record) bool {
			if r.Value != nil {
				d.newer[r.Topic+string(r.Key)] = r.Offset
			}
			return true
		}); err != nil {
			return err
		}
	}
	for _, c := range closed {
		at, failed := d.newer[c.Topic+string(c.Key)]
		if !failed || at >= c.Offset {
			continue
		}
		records, _, err := d.letters.Read(ctx, c.Topic, c.Partition, at, 1)
		if err != nil {
			return err
		}
		if len(records) == 0 || records[0].Offset != at {
			continue
		}
		r := records[0]
		if err := d.letters.client.ProduceSync(ctx, &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers}).FirstErr(); err != nil {
			return err
		}
		d.again++
	}
	return nil
}

func topicsOf(spans []dlq.Span) []string {
	names := make([]string, len(spans))
	for i, s := range spans {
		names[i] = s.Topic
	}
	return names
}
