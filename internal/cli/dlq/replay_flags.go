package dlq

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/term"
)

// rateFlag is a rate as a flag; zero: none.
type rateFlag struct{ dispatch.Rate }

// Set implements pflag.Value.
func (r *rateFlag) Set(s string) error { return r.UnmarshalText([]byte(s)) }

// String implements pflag.Value.
func (r *rateFlag) String() string {
	text, _ := r.MarshalText() // never fails
	return string(text)
}

// Type implements pflag.Value.
func (*rateFlag) Type() string { return "N/s" }

// maxPayload bounds what is read as a payload: no broker takes a larger record
// of ours.
const maxPayload = 64 << 20

// readPayload reads the value that replaces an entry's. One that is no event
// is refused unless it is forced: the rules could not read it either.
func readPayload(g *base.Globals, file string, force bool) ([]byte, error) {
	var in io.Reader = g.IO.In
	shown := "standard input"
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			var path *fs.PathError
			if errors.As(err, &path) {
				err = path.Err
			}
			return nil, fmt.Errorf("cannot read %s: %w", term.Visible(file), err)
		}
		defer f.Close()
		in, shown = f, term.Visible(file)
	}
	data, err := io.ReadAll(io.LimitReader(in, maxPayload+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read %s: %w", shown, err)
	case len(data) > maxPayload:
		return nil, fmt.Errorf("%s is larger than 64 MiB: no broker takes such a record", shown)
	case force:
		return data, nil
	}
	l, err := g.Part("events")
	if err != nil {
		return nil, err
	}
	if _, err := event.NewDecoder(&l.Events, nil, nil).Decode(event.Record{Value: data}); err != nil {
		return nil, fmt.Errorf("%s is no event: %s; mend it, or send it all the same with --force", shown, term.Visible(outcome.Classify(err).Detail))
	}
	return data, nil
}
