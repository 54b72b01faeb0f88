package dlq

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/safefile"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

func newImport(g *base.Globals) *cobra.Command {
	var ok base.Consent
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Import an export of 'dlq export'",
		Long: "Import an export of 'dlq export' from a file or standard input (-). Checksums are verified. Entries keep\n" +
			"their ids and are open. Existing entries are skipped, so the command can be repeated. Invalid lines are\n" +
			"reported and skipped.",
		Args: base.OneArg("a file, or - for standard input"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := ok.Possible(g); err != nil {
				return err
			}
			if args[0] == "-" && !ok.Yes && !ok.DryRun {
				return base.Misused("cannot ask for confirmation, standard input is the file: check with --dry-run, then use --yes")
			}
			in, err := openSeekable(g, args[0])
			if err != nil {
				return err
			}
			defer in.Close()
			st, err := openStore(g, cmd.Context())
			if err != nil {
				return err
			}
			defer st.client.Close()
			i := importing{g: g, store: st, file: args[0], in: in}
			return i.run(cmd.Context(), ok)
		},
	}
	ok.Flags(cmd)
	return cmd
}

// openSeekable opens a file, or copies standard input to a temporary one.
func openSeekable(g *base.Globals, file string) (*os.File, error) {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", file, safefile.Reason(err))
		}
		return f, nil
	}
	f, err := os.CreateTemp("", "notifier-import-*")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(f.Name()) // removed when closed
	if _, err := io.Copy(f, g.IO.In); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("read standard input: %w", err)
	}
	return f, nil
}

// importing reads an export twice: for the plan, and to write the missing entries.
type importing struct {
	g     *base.Globals
	store *store
	file  string
	in    *os.File

	here                     idSet // open entries here
	stats                    dlq.Stats
	refused, closed, already int
}

func (i *importing) run(ctx context.Context, ok base.Consent) error {
	if err := i.readHere(ctx); err != nil {
		return err
	}
	wanted := newIDSet()
	if err := i.lines(ctx, func(_ int, e *dlq.Entry) error {
		if i.here.has(e.Topic, e.ID) || wanted.has(e.Topic, e.ID) {
			i.already++
			return nil
		}
		wanted.add(e.Topic, e.ID)
		i.stats.Add(e)
		return nil
	}, i.refuse); err != nil {
		return err
	}
	what := plural.Count(i.stats.Count, "dead letter")
	i.plan()
	done := 0
	if i.stats.Count > 0 {
		yes, err := ok.Ask(ctx, i.g, fmt.Sprintf("import %s into %s", what, i.store.group))
		if err != nil {
			return err
		}
		if yes {
			if done, err = i.write(ctx, wanted); err != nil {
				return fmt.Errorf("%d of %s imported, then: %w; repeat the command for the rest", done, what, err)
			}
		}
	}
	return i.end(done)
}

// plan prints what will be imported.
func (i *importing) plan() {
	if i.g.JSON() {
		return
	}
	if i.stats.Count > 0 {
		printGroups(i.g.IO.Err, i.g.Width(), i.stats.Groups())
	}
	if i.already > 0 {
		fmt.Fprintf(i.g.IO.Err, "skipped: %s already here\n", plural.Verb(i.already, "is", "are"))
	}
	if i.closed > 0 {
		fmt.Fprintf(i.g.IO.Err, "skipped: %s closed when exported\n", plural.Verb(i.closed, "was", "were"))
	}
}

func (i *importing) end(done int) error {
	if i.g.JSON() {
		err := base.NewEncoder(i.g.IO.Out).Encode(map[string]any{
			"selected": i.stats.Count, "imported": done, "already_here": i.already, "closed": i.closed, "refused": i.refused,
		})
		if err != nil {
			return err
		}
	} else if done > 0 {
		fmt.Fprintf(i.g.IO.Err, "%s imported\n", plural.Count(done, "dead letter"))
	} else if i.stats.Count == 0 {
		fmt.Fprintln(i.g.IO.Err, "nothing to import")
	}
	if i.refused > 0 {
		return base.Fail(base.ExitFailed, "%s refused", plural.Verb(i.refused, "line was", "lines were"))
	}
	return nil
}

// readHere reads which entries are open here.
func (i *importing) readHere(ctx context.Context) error {
	i.here = newIDSet()
	return i.store.Each(ctx, dlq.Query{Brief: true}, func(e *dlq.Entry) bool {
		i.here.add(e.Topic, e.ID)
		return true
	})
}

func (i *importing) refuse(line int, err error) {
	i.refused++
	fmt.Fprintf(i.g.IO.Err, "%s:%d: %s\n", term.Visible(i.file), line, term.Visible(err.Error()))
}

// maxLine limits a line: base64 adds a third.
const maxLine = kafka.MaxEnvelope * 2

// lines calls f for each entry of the file and refuse for each invalid line.
func (i *importing) lines(ctx context.Context, f func(line int, e *dlq.Entry) error, refuse func(line int, err error)) error {
	if _, err := i.in.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read %s: %w", i.file, err)
	}
	i.closed = 0
	s := bufio.NewScanner(i.in)
	s.Buffer(make([]byte, 1<<16), maxLine)
	n := 0
	for s.Scan() {
		n++
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if len(s.Bytes()) == 0 {
			continue
		}
		e, err := i.parse(s.Bytes())
		switch {
		case err != nil:
			refuse(n, err)
		case e == nil:
			i.closed++
		default:
			if err := f(n, e); err != nil {
				return err
			}
		}
	}
	if errors.Is(s.Err(), bufio.ErrTooLong) {
		refuse(n+1, errors.New("the line is too long; the rest of the file was not read"))
		return nil
	}
	if s.Err() != nil {
		return fmt.Errorf("read %s: %w", i.file, safefile.Reason(s.Err()))
	}
	return nil
}

// parse parses a line; nil: the entry was closed when exported.
func (i *importing) parse(line []byte) (*dlq.Entry, error) {
	var doc struct {
		Format string        `json:"format"`
		ID     string        `json:"id"`
		State  dlq.State     `json:"state"`
		Record *dlq.Transfer `json:"record"`
	}
	if err := json.Unmarshal(line, &doc); err != nil {
		return nil, fmt.Errorf("not a line of 'notifier dlq export': %w", err)
	}
	switch {
	case doc.Format == "":
		return nil, errors.New("not a line of 'notifier dlq export': it has no format")
	case doc.Format != dlq.Format:
		return nil, fmt.Errorf("its format is %q, supported is %s", doc.Format, dlq.Format)
	case doc.State == dlq.Resolved || doc.State == dlq.Discarded:
		return nil, nil
	case doc.Record == nil:
		return nil, errors.New("it has no record")
	}
	e, err := doc.Record.Entry()
	if err != nil {
		return nil, err
	}
	if e.ID != doc.ID {
		return nil, fmt.Errorf("its id is %q, its record's %q", doc.ID, e.ID)
	}
	source, err := topics.Parse(e.Envelope.Source.Topic)
	if err != nil {
		return nil, fmt.Errorf("its source: %w", err)
	}
	e.Topic = topics.DeadLetter(i.store.group, source)
	e.Record.Topic, e.Record.Partition = e.Topic, 0
	return e, nil
}

// Limits of a batch.
const (
	importBatch = 1000
	importBytes = 8 << 20
)

// write writes the wanted entries and returns how many are acknowledged. One that is too large is
// refused.
func (i *importing) write(ctx context.Context, wanted idSet) (done int, err error) {
	bar := i.g.Bar("importing", "dead letters")
	bar.Expect(wanted.len())
	defer bar.Finish()
	var batch []*kgo.Record
	lineOf := make(map[*kgo.Record]int)
	bytes := 0
	flush := func() error {
		for _, result := range i.store.client.ProduceSync(ctx, batch...) {
			switch {
			case errors.Is(result.Err, kerr.MessageTooLarge):
				i.refuse(lineOf[result.Record], fmt.Errorf("it is too large for %s: increase max.message.bytes", result.Record.Topic))
			case result.Err != nil:
				return fmt.Errorf("write to %s: %w", result.Record.Topic, result.Err)
			default:
				done++
			}
		}
		bar.Add(len(batch))
		batch, bytes = batch[:0], 0
		clear(lineOf)
		return nil
	}
	err = i.lines(ctx, func(line int, e *dlq.Entry) error {
		if !wanted.remove(e.Topic, e.ID) { // duplicate in the file
			return nil
		}
		r := &kgo.Record{Topic: e.Topic, Key: e.Record.Key, Value: e.Record.Value, Headers: e.Record.Headers}
		batch, lineOf[r] = append(batch, r), line
		if bytes += len(r.Value); len(batch) == importBatch || bytes > importBytes {
			return flush()
		}
		return nil
	}, func(int, error) {})
	if err == nil && len(batch) > 0 {
		err = flush()
	}
	return done, err
}
