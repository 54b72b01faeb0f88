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
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

func newImport(g *base.Globals) *cobra.Command {
	var ok base.Consent
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Take over dead letters that 'dlq export' wrote",
		Long: "Take over dead letters that 'dlq export' wrote, from a file or from standard input (-). Each is checked\n" +
			"against its checksum, keeps its id and is open here; those that are here already are left as they are, so\n" +
			"importing twice is importing once. Lines that cannot be taken over are reported, the others go on.",
		Args: base.OneArg("a file, or - for standard input"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := ok.Possible(g); err != nil {
				return err
			}
			if args[0] == "-" && !ok.Yes && !ok.DryRun {
				return base.Misused("standard input is the file, so nobody can be asked: look with --dry-run, then say --yes")
			}
			in, err := openTwice(g, args[0])
			if err != nil {
				return err
			}
			defer in.Close()
			letters, err := openLetters(g, cmd.Context())
			if err != nil {
				return err
			}
			defer letters.client.Close()
			i := importing{g: g, letters: letters, file: args[0], in: in}
			return i.run(cmd.Context(), ok)
		},
	}
	ok.Flags(cmd)
	return cmd
}

// openTwice opens a file that is read twice; standard input is kept in a
// temporary one for that.
func openTwice(g *base.Globals, file string) (*os.File, error) {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", file, base.Bare(err))
		}
		return f, nil
	}
	f, err := os.CreateTemp("", "notifier-import-*")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(f.Name()) // it is gone once it is closed
	if _, err := io.Copy(f, g.IO.In); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("read standard input: %w", err)
	}
	return f, nil
}

// importing reads an export twice: to check it and say what it holds, and to
// write what is not here yet.
type importing struct {
	g       *base.Globals
	letters *letters
	file    string
	in      *os.File

	here                     idSet // what is not closed here
	stats                    dlq.Stats
	refused, closed, already int
}

func (i *importing) run(ctx context.Context, ok base.Consent) error {
	if err := i.lookHere(ctx); err != nil {
		return err
	}
	mine := newIDSet()
	if err := i.lines(ctx, func(_ int, e *dlq.Entry) error {
		if i.here.has(e.Topic, e.ID) || mine.has(e.Topic, e.ID) {
			i.already++
			return nil
		}
		mine.add(e.Topic, e.ID)
		i.stats.Add(e)
		return nil
	}, i.refuse); err != nil {
		return err
	}
	what := term.Many(int64(i.stats.Count), "dead letter")
	i.plan()
	done := 0
	if i.stats.Count > 0 {
		if goOn, err := ok.Ask(ctx, i.g, fmt.Sprintf("import %s into %s", what, i.letters.group)); err != nil {
			return err
		} else if goOn {
			if done, err = i.write(ctx, mine); err != nil {
				return fmt.Errorf("%d of %s imported, then: %w; the same command does the rest", done, what, err)
			}
		}
	}
	return i.end(done)
}

// plan says what the file holds.
func (i *importing) plan() {
	if i.g.JSON() {
		return
	}
	if i.stats.Count > 0 {
		printGroups(i.g, i.stats.Groups())
	}
	if i.already > 0 {
		fmt.Fprintf(i.g.IO.Err, "%s here already: left as %s\n", term.Verb(i.already, "is", "are"), map[bool]string{true: "it is", false: "they are"}[i.already == 1])
	}
	if i.closed > 0 {
		fmt.Fprintf(i.g.IO.Err, "%s closed when exported: left out\n", term.Verb(i.closed, "was", "were"))
	}
}

func (i *importing) end(done int) error {
	if i.g.JSON() {
		err := base.NewEncoder(i.g.IO.Out).Encode(map[string]any{
			"meant": i.stats.Count, "imported": done, "already_here": i.already, "closed": i.closed, "refused": i.refused,
		})
		if err != nil {
			return err
		}
	} else if done > 0 {
		fmt.Fprintf(i.g.IO.Err, "%s imported\n", term.Many(int64(done), "dead letter"))
	} else if i.stats.Count == 0 {
		fmt.Fprintln(i.g.IO.Err, "nothing to import")
	}
	if i.refused > 0 {
		return base.Fail(base.ExitFailed, "%s refused", term.Verb(i.refused, "line was", "lines were"))
	}
	return nil
}

// lookHere finds out which entries are open here.
func (i *importing) lookHere(ctx context.Context) error {
	i.here = newIDSet()
	return i.letters.Each(ctx, dlq.Query{Brief: true}, func(e *dlq.Entry) bool {
		i.here.add(e.Topic, e.ID)
		return true
	})
}

func (i *importing) refuse(line int, err error) {
	i.refused++
	fmt.Fprintf(i.g.IO.Err, "%s:%d: %s\n", term.Visible(i.file), line, term.Visible(err.Error()))
}

// maxLine is the longest line that is read: base64 makes four bytes of three.
const maxLine = kafka.MaxEnvelope * 2

// lines calls f for every entry of the file, its record's topic one of ours,
// and refuse for every line that is none.
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
		refuse(n+1, errors.New("the line is too long; what stands behind it was not read"))
		return nil
	}
	if s.Err() != nil {
		return fmt.Errorf("read %s: %w", i.file, base.Bare(s.Err()))
	}
	return nil
}

// parse reads a line; nil: it was closed when it was exported.
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
		return nil, fmt.Errorf("its format is %q, this notifier reads %s", doc.Format, dlq.Format)
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
	e.Topic = topics.DeadLetter(i.letters.group, source)
	e.Record.Topic, e.Record.Partition = e.Topic, 0
	return e, nil
}

// The sizes of what is written at once.
const (
	importBatch = 1000
	importBytes = 8 << 20
)

// write writes the entries that are wanted and returns how many are certainly
// there. One that does not fit is refused.
func (i *importing) write(ctx context.Context, wanted idSet) (done int, err error) {
	bar := i.g.Bar("importing", "dead letters")
	bar.Expect(wanted.len())
	defer bar.Finish()
	var batch []*kgo.Record
	lineOf := make(map[*kgo.Record]int)
	bytes := 0
	flush := func() error {
		for _, result := range i.letters.client.ProduceSync(ctx, batch...) {
			switch {
			case errors.Is(result.Err, kerr.MessageTooLarge):
				i.refuse(lineOf[result.Record], fmt.Errorf("it does not fit into %s: raise the topic's max.message.bytes", result.Record.Topic))
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
		if !wanted.remove(e.Topic, e.ID) { // the file may have it twice
			return nil
		}
		r := &kgo.Record{Topic: e.Topic, Key: e.Record.Key, Value: e.Record.Value, Headers: e.Record.Headers} // of now: it is written now
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
