package base

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
)

// Output is standard output. It keeps the first error of a write, so that a command
// whose data did not arrive fails, wherever it wrote. A closed descriptor cannot be
// told from a discarded output: Go's runtime opens /dev/null in its place, in the mode
// in which Python's subprocess.DEVNULL passes it on.
type Output struct {
	w io.Writer

	mu  sync.Mutex
	err error
}

func NewOutput(w io.Writer) *Output { return &Output{w: w} }

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.err == nil {
			o.err = err
		}
	}
	return n, err
}

// Failed returns the error of a command: err, and that the output could not be written,
// which a command may have returned in other words.
func (o *Output) Failed(err error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		return err
	}
	cause := o.err
	var path *fs.PathError
	if errors.As(o.err, &path) {
		cause = path.Err
	}
	unwritten := fmt.Errorf("cannot write the output: %w", cause)
	if err == nil || errors.Is(err, o.err) {
		return unwritten
	}
	return fmt.Errorf("%w; %w", err, unwritten)
}

// Fd returns the file descriptor for a terminal's size; one that is no file without one.
func (o *Output) Fd() uintptr {
	if f, ok := o.w.(interface{ Fd() uintptr }); ok {
		return f.Fd()
	}
	return ^uintptr(0)
}
