// Package console writes alerts to standard output, one block each. It needs
// no configuration. Start at Channel.Send; block.go renders a message,
// writer.go keeps blocks whole.
package console

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
)

// Config has no settings: desk: {console: {}}.
type Config struct{}

// Channel writes alerts to a terminal or a log.
type Channel struct {
	name string
	out  *Writer
	zone *time.Location
}

// New returns a channel that writes to w and shows name in each block. Other
// users of the same terminal should share one *Writer with it.
func New(_ Config, name string, w io.Writer) (*Channel, error) {
	out, ok := w.(*Writer)
	if !ok {
		out = NewWriter(w)
	}
	return &Channel{name: name, out: out, zone: time.Local}, nil
}

// Send writes m as one block. It returns when the block is written or ctx
// ends, also while the terminal is stopped or the pipe is full. A closed output
// is channel/transient: its reader may be restarted.
func (c *Channel) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	l := layout{width: c.out.Width(), colour: c.out.Colour(), channel: c.name, zone: c.zone}
	err := c.out.write(ctx, l.block(m))
	switch {
	case err == nil:
		return channel.Receipt{}, nil
	case errors.Is(err, errStuck):
		return channel.Receipt{}, &outcome.Error{Cause: outcome.Timeout, Detail: "console: write timed out, part of the text may be written", Err: err}
	case errors.Is(err, context.Canceled):
		return channel.Receipt{}, &outcome.Error{Cause: outcome.Abandoned, Err: err}
	case errors.Is(err, context.DeadlineExceeded):
		return channel.Receipt{}, &outcome.Error{Cause: outcome.Unreachable, Detail: "console: an earlier write is blocked", Err: err}
	}
	return channel.Receipt{}, &outcome.Error{Cause: outcome.Unreachable, Detail: "console: " + reason(err), Err: err}
}

// reason returns the innermost error's text, without the file's name.
func reason(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}
