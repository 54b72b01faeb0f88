// Package backtest is the command 'rules backtest': it reads what was written to the
// source topics, and tells what rules would have raised of it and what channels would have
// sent. It sends nothing and joins no group. Start reading at run.do.
package backtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/history"
	"github.com/algotrade/notifier/internal/ingest"
	"github.com/algotrade/notifier/internal/term"
)

const about = `Tell what rules would have raised of the events of a past period, and what channels would have sent:
through the same throttles, digests, rate limits and quiet hours as in the daemon, on a clock of its own.
Nothing is sent, no group is joined, and secrets of channels need not be there.

Without FILE the rules are the configured ones. With --diff, two files are compared on the same events:
OLD and NEW, or the configured rules and NEW.`

// options are the flags.
type options struct {
	since, until time.Time
	diff, list   bool
	topics       []string
	show         int
}

// New returns the command.
func New(g *base.Globals) *cobra.Command {
	var o options
	var since, until string
	cmd := &cobra.Command{
		Use: "backtest [FILE | --diff [OLD] NEW]", Short: "Tell what rules would have done with past events; sends nothing",
		Long: about,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			now := time.Now()
			if o.since, err = base.ParseWhen(since, now); err != nil {
				return base.Misused("--since: %w", err)
			}
			if o.until, err = base.ParseWhen(until, now); err != nil {
				return base.Misused("--until: %w", err)
			}
			switch {
			case o.until.IsZero() || o.until.After(now):
				o.until = now
			case !o.since.Before(o.until):
				return base.Misused("--since %s is not before --until %s", since, until)
			}
			switch {
			case o.diff && (len(args) == 0 || len(args) > 2):
				return base.Misused("--diff takes NEW, or OLD and NEW")
			case !o.diff && len(args) > 1:
				return base.Misused("%s takes at most a file; to compare two, use --diff", cmd.CommandPath())
			case o.list && !o.diff:
				return base.Misused("--events lists the differences of --diff")
			case o.show < 0:
				return base.Misused("--show %d is not a number of messages", o.show)
			}
			r := run{options: o, g: g, now: now}
			return r.do(cmd.Context(), args)
		},
	}
	f := cmd.Flags()
	f.StringVar(&since, "since", "24h", "events since `WHEN`: a duration (2h) or a time (RFC 3339)")
	f.StringVar(&until, "until", "", "events before `WHEN`: a duration (2h) or a time (RFC 3339)")
	f.BoolVar(&o.diff, "diff", false, "compare the rules of two files")
	f.BoolVar(&o.list, "events", false, "with --diff, list each alert gained or lost, with its event")
	f.StringSliceVar(&o.topics, "topic", nil, "only events of these topics")
	f.IntVar(&o.show, "show", 10, "show the first `N` messages of each channel")
	for _, flag := range []string{"since", "until", "show"} {
		base.Complete(cmd, flag, base.NoWords)
	}
	base.Complete(cmd, "topic", base.Words(topicNames()...))
	return cmd
}

// run is one run of the command.
type run struct {
	options
	g   *base.Globals
	now time.Time // of its start

	out      *bufio.Writer
	versions []*version // of the rules, the new one last
	compared *comparison
	parts    []*matcher
	dead     deadLetters

	topics   []string
	topicIDs map[string]string
	cluster  string    // its id
	blank    []byte    // what stands for the values of events, whose sizes count
	complete time.Time // below this all is counted
	stopped  bool      // before the end
	took     time.Duration
	earliest map[string]time.Time // since when a topic has all of its events, where that is after since
}

// do reads the period once, for all versions of the rules, and prints what is found.
func (r *run) do(ctx context.Context, files []string) error {
	l, sets, err := load(r.g, files, r.diff)
	if err != nil {
		return err
	}
	if r.topics, err = chosen(r.options.topics, sets); err != nil {
		return err
	}
	cl, err := r.g.Reach(ctx, &l.Kafka, "backtest", kgo.ConsiderMissingTopicDeletedAfter(0))
	if err != nil {
		return err
	}
	defer cl.Close()
	log := dlq.NewLog(cl)
	spans, err := r.spans(ctx, cl, log)
	if err != nil {
		return err
	}
	r.out = bufio.NewWriterSize(r.g.IO.Out, 1<<16)
	err = r.read(ctx, l, log, spans, sets)
	if err != nil && !errors.Is(err, base.ErrSignal) {
		return explain(err, "")
	}
	r.stopped = err != nil
	if err := r.print(); err != nil {
		return err
	}
	if err := r.out.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(r.g.IO.Err, "\n%s; nothing was sent\n", r.speed())
	if r.stopped {
		return fmt.Errorf("%w: the figures are of the events before %s", context.Cause(ctx), term.Stamp(r.complete))
	}
	return nil
}

// read reads the spans and has everything counted.
func (r *run) read(ctx context.Context, l *config.Loaded, log *dlq.Log, spans []dlq.Span, sets []set) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	decoder, err := r.g.Decoder(ctx, l)
	if err != nil {
		return err
	}
	var programs []ingest.Program
	for _, s := range sets {
		r.versions = append(r.versions, newVersion(s, l, r.cluster, r.show))
		programs = append(programs, ingest.NewProgram(s.rules, decoder))
	}
	if r.diff {
		r.compared = newComparison(r)
	}
	bar := r.g.Bar("reading", "events")
	total := 0
	for _, s := range spans {
		total += int(s.End - s.Start)
	}
	bar.Expect(total)
	defer bar.Finish()
	began := time.Now()
	until, err := history.Read(ctx, history.Params[matched]{
		Log: log, Spans: spans, Since: r.since, Now: r.now, Passed: bar.Add, TooLarge: tooLarge,
		Matcher: func(s dlq.Span) history.Matcher[matched] {
			m := newMatcher(programs, r.topicIDs[s.Topic], cancel)
			r.parts = append(r.parts, m)
			return m.match
		},
	}, func(at time.Time, m matched) { r.count(bar, at, m) })
	if r.complete = r.until; until.Before(r.complete) {
		r.complete = until
	}
	for _, v := range r.versions {
		v.engine.Finish(r.complete)
		v.pending = v.engine.Pending()
	}
	r.took = time.Since(began)
	return err
}

// count counts what a record has raised.
func (r *run) count(bar *term.Bar, at time.Time, m matched) {
	if len(r.blank) < m.size {
		r.blank = make([]byte, m.size)
	}
	m.source.Value = r.blank[:m.size]
	for i, v := range r.versions {
		for j := range m.of[i].alerts {
			v.add(at, &m.of[i].alerts[j], m.source)
		}
	}
	newest := m.of[len(r.versions)-1]
	if newest.err != nil {
		r.dead.add(m.source.Topic, newest.err.Cause)
	}
	if r.compared != nil {
		r.compared.add(bar, at, m)
	}
}

// total returns how many records were read, without tombstones.
func (r *run) total() (n int64) {
	for _, m := range r.parts {
		n += m.events
	}
	return n
}
