package dlq

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/safefile"
	"github.com/algotrade/notifier/internal/term"
)

func newExport(g *base.Globals) *cobra.Command {
	var sel selection
	var file string
	cmd := &cobra.Command{
		Use:   "export [ID…]",
		Short: "Export dead letters as JSON lines",
		Long: "Export dead letters as JSON lines: the fields of 'dlq list -o json' and the complete record, for 'dlq\n" +
			"import' in another group or cluster. The export contains payloads: protect it.",
		RunE: func(cmd *cobra.Command, ids []string) error {
			return sel.withStore(g, cmd, ids, func(ctx context.Context, st *store, f *filter) error {
				var bar *term.Bar
				if file != "" && file != "-" {
					bar = g.Bar("exporting", "dead letters")
				}
				n, seen := 0, 0
				err := into(file, g.IO.Out, func(w io.Writer) (err error) {
					enc := base.NewEncoder(w)
					var failed error
					seen, err = f.each(ctx, st.Reader, nil, dlq.Query{}, func(e *dlq.Entry) bool {
						line := exportLine{Format: dlq.Format, entryJSON: toJSON(e)}
						if e.Record != nil {
							line.Record = dlq.NewTransfer(e.Record)
						}
						if failed = enc.Encode(line); failed == nil {
							n++
							bar.Add(1)
						}
						return failed == nil
					})
					return cmp.Or(failed, err)
				})
				bar.Finish()
				switch {
				case err != nil:
					return err
				case n == 0:
					fmt.Fprintln(g.IO.Err, f.noneText(seen))
				default:
					fmt.Fprintf(g.IO.Err, "%s exported\n", plural.Count(n, "dead letter"))
				}
				return nil
			})
		},
	}
	sel.flags(cmd)
	sel.complete(g, cmd)
	cmd.ValidArgsFunction = completeID(g)
	cmd.Flags().StringVarP(&file, "file", "f", "", "write to `FILE` (default: standard output)")
	return cmd
}

// exportLine is one line of an export.
type exportLine struct {
	Format string `json:"format"`
	entryJSON
	Record *dlq.Transfer `json:"record"` // null for a closed entry without its record
}

// into calls write with a file that replaces the old one only if write succeeds. Without a name
// it is out.
func into(file string, out io.Writer, write func(io.Writer) error) error {
	if file == "" || file == "-" {
		w := bufio.NewWriterSize(out, 1<<16)
		err := write(w)
		return cmp.Or(err, w.Flush())
	}
	f, err := safefile.Replace(file)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", file, safefile.Reason(err))
	}
	defer f.Abandon()
	w := bufio.NewWriterSize(f, 1<<16)
	if err := cmp.Or(write(w), w.Flush()); err != nil {
		return err
	}
	if err := f.Commit(); err != nil {
		return fmt.Errorf("cannot write %s: %w", file, safefile.Reason(err))
	}
	return nil
}
