// Package sdnotify reports readiness, status, progress and stops to systemd (sd_notify(3)). It does
// nothing if $NOTIFY_SOCKET is not set. Start reading at Reporter.Run.
package sdnotify

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Params are the parameters of a Reporter.
type Params struct {
	Live   func() error  // nil: the process makes progress
	Joined func() bool   // whether it has joined its groups
	Status func() string // status line
	Logger *slog.Logger
}

// Reporter reports the daemon's state to systemd.
type Reporter struct {
	p        Params
	watchdog time.Duration // of systemd; zero: none

	mu       sync.Mutex
	ready    bool
	stopping bool
	status   string    // last sent
	alive    time.Time // last keep-alive
	warned   bool
}

// New returns a reporter. The error is of $WATCHDOG_USEC.
func New(p Params) (*Reporter, error) {
	d, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return nil, err
	}
	return &Reporter{p: p, watchdog: d}, nil
}

// Run reports every second, or more often for the watchdog, until ctx ends: READY=1 once Joined, the
// status when it changes, WATCHDOG=1 while Live. A process that is not live sends no WATCHDOG=1, so
// that systemd ends it.
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

// Stopping reports that shutdown has begun. From then on Run sends keep-alives without Live, since
// the loops end.
func (r *Reporter) Stopping(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopping, r.status = true, text
	r.send("STOPPING=1", status(text))
}

func (r *Reporter) report(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopping {
		r.send(r.keepAlive(now)...)
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
		all = append(all, r.keepAlive(now)...)
	}
	if text != r.status {
		r.status = text
		all = append(all, status(text))
	}
	r.send(all...)
}

// extension is how long a start or a stop may take from the last keep-alive.
const extension = 30 * time.Second

// keepAlive returns the keep-alive assignments, if they are due.
func (r *Reporter) keepAlive(now time.Time) []string {
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

// send sends one message; r.mu is held.
func (r *Reporter) send(all ...string) {
	if len(all) == 0 {
		return
	}
	if err := send(all...); err != nil && !r.warned {
		r.warned = true
		r.p.Logger.Warn("reporting to systemd failed", "err", err)
	}
}
