// Package console shows alerts on standard output, one block each. It is the
// channel that needs no setting up. Start reading at Channel.Send; block.go
// lays a message out, writer.go keeps blocks whole.
package console

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
)

// Config configures a console channel. It has no settings: desk: {console: {}}.
type Config struct{}

// Channel writes alerts for people to read in a terminal or a log.
type Channel struct {
	name string
	out  *Writer
	zone *time.Location
}

// New returns a channel that shows name as where its alerts go and writes to w.
// Whatever else writes to the same terminal should share one *Writer with it;
// any other writer is put behind one of its own.
func New(_ Config, name string, w io.Writer) (*Channel, error) {
	out, ok := w.(*Writer)
	if !ok {
		out = NewWriter(w)
	}
	return &Channel{name: name, out: out, zone: time.Local}, nil
}

// Send writes m as one block. It returns when the block is written or ctx
// ends, also while the terminal is stopped or nobody reads the pipe. An output
// that is gone is channel/transient: a person may be about to restart the pager.
func (c *Channel) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	l := layout{width: c.out.Width(), colour: c.out.Colour(), channel: c.name, zone: c.zone}
	err := c.out.write(ctx, l.block(m))
	switch {
	case err == nil:
		return channel.Receipt{}, nil
	case errors.Is(err, errStuck):
		return channel.Receipt{}, &outcome.Error{Cause: outcome.Timeout, Detail: "the console does not take the whole text", Err: err}
	case errors.Is(err, context.Canceled):
		return channel.Receipt{}, &outcome.Error{Cause: outcome.Abandoned, Err: err}
	case errors.Is(err, context.DeadlineExceeded):
		return channel.Receipt{}, &outcome.Error{Cause: outcome.Unreachable, Detail: "the console is stopped", Err: err}
	}
	return channel.Receipt{}, &outcome.Error{Cause: outcome.Unreachable, Detail: "write to the console: " + reason(err), Err: err}
}

// reason returns what the operating system said, without the file's name.
func reason(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}
