package dispatch

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Driver is what a Dispatcher leaves to others: starting work, being woken, the
// clock, and chance. The Dispatcher itself starts no goroutine, arms no timer, reads
// no clock and draws nothing, so that a simulation can step through its decisions and
// repeat them. Only the circuit breaker has a clock of its own, which matters while
// attempts fail.
type Driver interface {
	// Now is the present.
	Now() time.Time
	// Go starts work. It must not do it before it returns: the caller holds a
	// lock that the work takes.
	Go(w Work)
	// WakeAt has the Dispatcher look again at a time, in place of the time that was
	// asked for before; zero: not at all.
	WakeAt(at time.Time, wake func())
	// Draw returns a duration from [0, n).
	Draw(n time.Duration) time.Duration
	// Wait returns when all work has ended.
	Wait()
}

// Work is an attempt to send a delivery, or the writing of how it ended.
type Work struct {
	Delivery  string // as dedup knows it
	Topic     string // the id of the outbox's topic
	Partition int32  // of it, and where the delivery stands there
	Offset    int64
	Attempt   bool
	Do        func()
}

// Goroutines is the Driver of the daemon. Its goroutines are used again, because an
// attempt takes a deep stack, which would have to grow each time. Go and WakeAt are
// called under the Dispatcher's lock alone. The zero value is ready to use.
type Goroutines struct {
	work  sync.WaitGroup
	next  chan func()   // taken by an idle goroutine; nil: there was no work yet
	ended chan struct{} // closed by Wait
	end   sync.Once
	idle  atomic.Int32
	timer *time.Timer
}

// maxIdle is how many goroutines wait for work.
const maxIdle = 64

// Go implements Driver.
func (g *Goroutines) Go(w Work) {
	if g.next == nil {
		g.next, g.ended = make(chan func()), make(chan struct{})
	}
	select {
	case g.next <- w.Do:
	default:
		g.work.Go(func() { g.run(w.Do) })
	}
}

func (g *Goroutines) run(do func()) {
	for {
		do()
		if g.idle.Add(1) > maxIdle {
			g.idle.Add(-1)
			return
		}
		select {
		case do = <-g.next:
			g.idle.Add(-1)
		case <-g.ended:
			return
		}
	}
}

// Wait implements Driver.
func (g *Goroutines) Wait() {
	g.end.Do(func() {
		if g.ended != nil {
			close(g.ended)
		}
	})
	g.work.Wait()
}

// Now implements Driver.
func (g *Goroutines) Now() time.Time { return time.Now() }

// Draw implements Driver.
func (g *Goroutines) Draw(n time.Duration) time.Duration { return rand.N(n) }

// WakeAt implements Driver.
func (g *Goroutines) WakeAt(at time.Time, wake func()) {
	if g.timer != nil {
		g.timer.Stop()
	}
	if at.IsZero() {
		return
	}
	d := max(time.Until(at), 0)
	if g.timer == nil {
		g.timer = time.AfterFunc(d, wake)
		return
	}
	g.timer.Reset(d)
}
