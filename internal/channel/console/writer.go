package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// Width is the number of columns of an output that is not a terminal.
const Width = 100

// Writer keeps each Write whole, so that several components can share a
// terminal. Colour is used on a terminal, unless NO_COLOR is set
// (https://no-color.org) or TERM is dumb.
type Writer struct {
	lock   chan struct{} // size 1: full during a write
	w      io.Writer
	fd     int // of the terminal; -1 for other outputs
	colour bool
}

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer {
	out := &Writer{lock: make(chan struct{}, 1), w: w, fd: -1}
	if f, ok := w.(interface{ Fd() uintptr }); ok && term.IsTerminal(int(f.Fd())) {
		out.fd = int(f.Fd())
		out.colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	return out
}

// Colour reports whether to write escape sequences for colour.
func (w *Writer) Colour() bool { return w.colour }

// Width returns the terminal's current number of columns, or Width.
func (w *Writer) Width() int {
	if w.fd >= 0 {
		if columns, _, err := term.GetSize(w.fd); err == nil && columns > 0 {
			return columns
		}
	}
	return Width
}

// Write writes p as one piece.
func (w *Writer) Write(p []byte) (int, error) {
	w.lock <- struct{}{}
	defer func() { <-w.lock }()
	return w.w.Write(p)
}

// errStuck means that an unknown part of a block was written.
var errStuck = errors.New("write timed out")

// write is Write with a context. A system call cannot be cancelled, so a
// blocked write keeps its goroutine and the lock: there is at most one, and
// later calls return without writing.
func (w *Writer) write(ctx context.Context, p []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case w.lock <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	done := make(chan error, 1)
	go func() {
		_, err := w.w.Write(p)
		<-w.lock
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errStuck, ctx.Err())
	}
}
