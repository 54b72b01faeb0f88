package base

import (
	"fmt"
	"io"
	"sync"
)

// Output is standard output. It keeps the first error of a write, so that a command
// whose data did not arrive fails, wherever it wrote.
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

// Err returns the first error of a write.
func (o *Output) Err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		return nil
	}
	return fmt.Errorf("cannot write the output: %w", o.err)
}

// Fd returns the file descriptor for a terminal's size; one that is no file without one.
func (o *Output) Fd() uintptr {
	if f, ok := o.w.(interface{ Fd() uintptr }); ok {
		return f.Fd()
	}
	return ^uintptr(0)
}
