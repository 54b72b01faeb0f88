package channeltest

import (
	"context"
	"sync"
)

// deadline is a context that ends when a test says so.
type deadline struct {
	context.Context
	passed chan struct{}
}

func (d *deadline) Done() <-chan struct{} { return d.passed }

func (d *deadline) Err() error {
	select {
	case <-d.passed:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// Deadline returns a context whose deadline passes once pass is called: what has
// happened until then does not depend on the speed of the machine.
func Deadline(parent context.Context) (ctx context.Context, pass func()) {
	d := &deadline{Context: parent, passed: make(chan struct{})}
	return d, sync.OnceFunc(func() { close(d.passed) })
}
