package dlq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/plural"
)

func newDiscard(g *base.Globals) *cobra.Command {
	var sel selection
	d := discard{g: g}
	cmd := &cobra.Command{
		Use:   "discard [ID…] -m TEXT",
		Short: "Discard dead letters without sending them",
		Long: "Discard dead letters without sending them. The comment, the user and the time are kept as long as the\n" +
			"topic keeps tombstones (seven days): see 'dlq list --state discarded -o json'.",
		RunE: func(cmd *cobra.Command, ids []string) error {
			f, err := sel.filter(ids, time.Now())
			if err != nil {
				return err
			}
			if d.closing.Comment = strings.TrimSpace(d.closing.Comment); d.closing.Comment == "" {
				return base.Misused(`a comment is required, such as -m "test data of Monday"`)
			}
			if err := cmp.Or(f.required("discard"), d.Possible(g)); err != nil {
				return err
			}
			return sel.withStore(g, cmd, ids, d.run)
		},
	}
	sel.flags(cmd)
	sel.complete(g, cmd)
	cmd.ValidArgsFunction = completeID(g)
	sel.allFlag(cmd)
	d.Flags(cmd)
	cmd.Flags().StringVarP(&d.closing.Comment, "comment", "m", "", "why, for the audit trail")
	cmd.Flags().BoolVar(&d.force, "force", false, "also those waiting for a replay, which may still be sent")
	return cmd
}

type discard struct {
	base.Consent
	g       *base.Globals
	force   bool
	closing dlq.Closing

	stats           dlq.Stats
	entries         []place
	waiting, closed int
	spans           []dlq.Span       // the part of each partition that was read
	newer           map[string]int64 // offsets of later versions, by topic and key
	again           int              // entries with a later version, which stay open
}

// place is the place of an entry, in little memory: there may be a million.
type place struct {
	topic     string
	partition int32
	key       string
	version   int64
}

func (d *discard) run(ctx context.Context, st *store, f *filter) error {
	var err error
	if d.spans, err = st.Ends(ctx, f.sources()); err != nil {
		return err
	}
	seen, err := f.each(ctx, st.Reader, d.spans, dlq.Query{Brief: true}, d.take)
	if err != nil {
		return err
	}
	if len(d.entries) == 0 {
		d.reportSkipped()
		if d.waiting+d.closed > 0 {
			return base.Fail(base.ExitFailed, "no dead letter to discard")
		}
		return base.Fail(base.ExitFailed, "%s", f.noneText(seen))
	}
	what := plural.Count(len(d.entries), "dead letter")
	if !d.g.JSON() {
		printGroups(d.g.IO.Err, d.g.Width(), d.stats.Groups())
		d.reportSkipped()
	}
	done := 0
	ok, err := d.Ask(ctx, d.g, "discard "+what)
	if err != nil {
		return err
	}
	if ok {
		if done, err = d.write(ctx, st); err != nil {
			return fmt.Errorf("%d of %s discarded, then: %w; repeat the command for the rest", done, what, err)
		}
	}
	if d.g.JSON() {
		return base.NewEncoder(d.g.IO.Out).Encode(map[string]any{
			"selected": len(d.entries), "discarded": done - d.again, "failed_again": d.again, "skipped_waiting": d.waiting, "skipped_closed": d.closed,
		})
	}
	if done > 0 {
		fmt.Fprintf(d.g.IO.Err, "%s discarded\n", plural.Count(done-d.again, "dead letter"))
	}
	if d.again > 0 {
		fmt.Fprintf(d.g.IO.Err, "skipped: %s again meanwhile\n", plural.Verb(d.again, "failed", "failed"))
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

func (d *discard) reportSkipped() {
	if d.waiting > 0 {
		fmt.Fprintf(d.g.IO.Err, "skipped: %s for a replay (use --force)\n", plural.Verb(d.waiting, "waits", "wait"))
	}
	if d.closed > 0 {
		fmt.Fprintf(d.g.IO.Err, "skipped: %s already closed\n", plural.Verb(d.closed, "is", "are"))
	}
}

// closeBatch is how many tombstones are written at once.
const closeBatch = 1000

// write writes tombstones for the versions read, and returns how many are acknowledged.
func (d *discard) write(ctx context.Context, st *store) (done int, err error) {
	w := dlq.NewWriter(dlq.WriterParams{Client: st.client, Group: st.group, Logger: slog.New(slog.DiscardHandler)})
	bar := d.g.Bar("discarding", "dead letters")
	bar.Expect(len(d.entries))
	defer bar.Finish()
	d.closing.By, d.closing.State, d.closing.At = base.User(), dlq.Discarded, time.Now()
	for places := range slices.Chunk(d.entries, closeBatch) {
		var batch []*dlq.Closure
		for _, p := range places {
			c := &dlq.Closure{Topic: p.topic, Partition: p.partition, Key: []byte(p.key), Closing: d.closing}
			c.Below = p.version + 1
			batch = append(batch, c)
		}
		err := w.CloseEntries(ctx, batch...)
		if err == nil {
			err = d.keepNewer(ctx, st, batch)
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

// keepNewer writes versions again that were written between reading and closing, since
// compaction deletes a version before a tombstone of its key.
func (d *discard) keepNewer(ctx context.Context, st *store, closed []*dlq.Closure) error {
	if d.newer == nil {
		d.newer = make(map[string]int64)
	}
	ends, err := st.Spans(ctx, topicsOf(d.spans)...)
	if err != nil {
		return err
	}
	for i := range d.spans {
		s := &d.spans[i]
		s.Start, s.End = s.End, ends[i].End
		if err := st.Scan(ctx, *s, func(r *kgo.Record) bool {
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
		records, _, err := st.Read(ctx, c.Topic, c.Partition, at, 1)
		if err != nil {
			return err
		}
		if len(records) == 0 || records[0].Offset != at {
			continue
		}
		r := records[0]
		if err := st.client.ProduceSync(ctx, &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers}).FirstErr(); err != nil {
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
