// Package sdnotify tells systemd how the daemon does, as sd_notify(3) has it:
// when it is ready, what it is doing, that it makes progress, that it stops.
// Where no service manager listens ($NOTIFY_SOCKET is not set) nothing
// happens. Start reading at Reporter.Run.
package sdnotify

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Params is what a Reporter asks.
type Params struct {
	Live   func() error  // nil: the process makes progress
	Joined func() bool   // whether its work has begun
	Status func() string // what it is doing, in a line
	Logger *slog.Logger
}

// Reporter tells systemd how the daemon does, from its start to its end.
type Reporter struct {
	p        Params
	watchdog time.Duration // how long systemd waits for a sign of life; zero: it does not

	mu       sync.Mutex
	ready    bool
	stopping bool
	told     string    // the last status
	alive    time.Time // the last sign of life
	warned   bool
}

// New returns a reporter. An error means that the time of systemd's watchdog
// cannot be read.
func New(p Params) (*Reporter, error) {
	d, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return nil, err
	}
	return &Reporter{p: p, watchdog: d}, nil
}

// Run reports every second, more often where the watchdog wants it: READY=1
// once the work has begun, the status when it changes, WATCHDOG=1 while the
// process is live. A process that is stuck says so and gives no sign of life,
// so that systemd ends it. Run returns when ctx ends.
func (r *Reporter) Run(ctx context.Context) error {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		<-ctx.Done()
		return nil
	}
	every := time.Second
	if r.watchdog > 0 {
		every = min(every, r.watchdog/4)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		r.report(time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Stopping tells that a stop has begun, and what it waits for. The loops end
// then; that Run continues is sign of life enough, since whoever stops bounds
// how long that takes.
func (r *Reporter) Stopping(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopping, r.told = true, text
	r.send("STOPPING=1", status(text))
}

func (r *Reporter) report(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopping {
		r.send(r.signOfLife(now)...)
		return
	}
	var all []string
	text := ""
	if err := r.p.Live(); err != nil {
		text = "stuck: " + err.Error()
	} else {
		text = r.p.Status()
		if !r.ready && r.p.Joined() {
			r.ready = true
			all = append(all, "READY=1")
		}
		all = append(all, r.signOfLife(now)...)
	}
	if text != r.told {
		r.told = text
		all = append(all, status(text))
	}
	r.send(all...)
}

// extension is how much longer a start or a stop may take, counted from its
// last sign of life.
const extension = 30 * time.Second

// signOfLife returns what keeps systemd from ending the process; nothing if it
// was told just now.
func (r *Reporter) signOfLife(now time.Time) []string {
	if now.Sub(r.alive) < r.watchdog/3 {
		return nil
	}
	r.alive = now
	var all []string
	if r.watchdog > 0 {
		all = append(all, "WATCHDOG=1")
	}
	if !r.ready || r.stopping {
		all = append(all, extend(extension))
	}
	return all
}

// send sends one message; the caller holds the mutex.
func (r *Reporter) send(all ...string) {
	if len(all) == 0 {
		return
	}
	if err := send(all...); err != nil && !r.warned {
		r.warned = true
		r.p.Logger.Warn("cannot tell systemd how the daemon does", "err", err)
	}
}
