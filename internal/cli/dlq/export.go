package dlq

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/safefile"
	"github.com/algotrade/notifier/internal/term"
)

func newExport(g *base.Globals) *cobra.Command {
	var sel selection
	var file string
	cmd := &cobra.Command{
		Use:   "export [ID…]",
		Short: "Write dead letters as JSON lines, nothing of them lost",
		Long: "Write dead letters as JSON lines: what 'dlq list -o json' says of each, and the record as it is, so\n" +
			"that 'dlq import' can put it into another group or cluster. Payloads are in it: mind who may read it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			filter, err := sel.filter(args, time.Now())
			if err != nil {
				return err
			}
			letters, err := openLetters(g, cmd.Context())
			if err != nil {
				return err
			}
			defer letters.client.Close()
			x := export{out: g.IO.Out}
			if file != "" && file != "-" {
				x.bar = g.Bar("exporting", "dead letters")
			}
			seen := 0
			err = into(file, g.IO.Out, func(w io.Writer) error {
				x.out = w
				seen, err = filter.each(cmd.Context(), letters.Reader, nil, dlq.Query{}, x.put)
				return cmp.Or(x.err, err)
			})
			x.bar.Finish()
			switch {
			case err != nil:
				return err
			case x.n == 0:
				fmt.Fprintln(g.IO.Err, filter.nothing(seen))
			default:
				fmt.Fprintf(g.IO.Err, "%s exported\n", term.Many(int64(x.n), "dead letter"))
			}
			return nil
		},
	}
	sel.flags(cmd)
	cmd.Flags().StringVarP(&file, "file", "f", "", "write to `FILE` (default: standard output)")
	return cmd
}

// exportLine is one line of an export.
type exportLine struct {
	Format string `json:"format"`
	entryJSON
	// Record is null for a closed entry of which only the closing is left.
	Record *dlq.Transfer `json:"record"`
}

type export struct {
	out io.Writer
	bar *term.Bar
	n   int
	err error
}

func (x *export) put(e *dlq.Entry) bool {
	line := exportLine{Format: dlq.Format, entryJSON: toJSON(e)}
	if e.Record != nil {
		line.Record = dlq.NewTransfer(e.Record)
	}
	if x.err = base.NewEncoder(x.out).Encode(line); x.err != nil {
		return false
	}
	x.n++
	x.bar.Add(1)
	return true
}

// into has write fill a file, which is there only once it is complete; without
// a name it is out.
func into(file string, out io.Writer, write func(io.Writer) error) error {
	if file == "" || file == "-" {
		w := bufio.NewWriterSize(out, 1<<16)
		err := write(w)
		return cmp.Or(err, w.Flush())
	}
	f, err := safefile.Replace(file)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", file, base.Bare(err))
	}
	defer f.Abandon()
	w := bufio.NewWriterSize(f, 1<<16)
	if err := cmp.Or(write(w), w.Flush()); err != nil {
		return err
	}
	if err := f.Commit(); err != nil {
		return fmt.Errorf("cannot write %s: %w", file, base.Bare(err))
	}
	return nil
}
