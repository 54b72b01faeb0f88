package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// Width is the number of columns where the output is no terminal.
const Width = 100

// Writer keeps each Write to an output whole, so that several components can
// share a terminal. It knows whether the output is a terminal, how wide that
// is, and whether to use colour: on a terminal, unless NO_COLOR is set
// (https://no-color.org) or TERM is dumb.
type Writer struct {
	turn   chan struct{} // size 1: full while somebody writes
	w      io.Writer
	fd     int // of the terminal; -1 when it is none
	colour bool
}

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer {
	out := &Writer{turn: make(chan struct{}, 1), w: w, fd: -1}
	if f, ok := w.(interface{ Fd() uintptr }); ok && term.IsTerminal(int(f.Fd())) {
		out.fd = int(f.Fd())
		out.colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	return out
}

// Colour reports whether escape sequences for colour are welcome.
func (w *Writer) Colour() bool { return w.colour }

// Width returns the terminal's columns now, Width when the output is no terminal.
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
	w.turn <- struct{}{}
	defer func() { <-w.turn }()
	return w.w.Write(p)
}

// errStuck means that the output took perhaps a part of a block, perhaps all.
var errStuck = errors.New("the output does not answer")

// write is Write that gives up when ctx ends. The operating system cannot be
// told to give up, so a write that is stuck keeps its goroutine and the turn:
// there is at most one, and whoever comes later leaves without writing.
func (w *Writer) write(ctx context.Context, p []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	done := make(chan error, 1)
	go func() {
		_, err := w.w.Write(p)
		<-w.turn
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errStuck, ctx.Err())
	}
}
