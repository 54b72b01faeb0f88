package dlq

import (
	"fmt"
	"io"
	"os"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/safefile"
	"github.com/algotrade/notifier/internal/term"
)

// rateFlag is a flag for a rate; zero: no limit.
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

// maxPayload limits a payload, in bytes.
const maxPayload = 64 << 20

// readPayload reads a new value for an entry. One that cannot be decoded is an error unless forced.
func readPayload(g *base.Globals, file string, force bool) ([]byte, error) {
	var in io.Reader = g.IO.In
	shown := "standard input"
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", term.Visible(file), safefile.Reason(err))
		}
		defer f.Close()
		in, shown = f, term.Visible(file)
	}
	data, err := io.ReadAll(io.LimitReader(in, maxPayload+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read %s: %w", shown, err)
	case len(data) > maxPayload:
		return nil, fmt.Errorf("%s is larger than 64 MiB", shown)
	case force:
		return data, nil
	}
	l, err := g.Part("events")
	if err != nil {
		return nil, err
	}
	if _, err := event.NewDecoder(&l.Events, nil, nil).Decode(event.Record{Value: data}); err != nil {
		return nil, fmt.Errorf("%s is not an event: %s; correct it, or use --force", shown, term.Visible(outcome.Classify(err).Detail))
	}
	return data, nil
}
