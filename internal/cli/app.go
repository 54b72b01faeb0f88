package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/dig"
	"go.uber.org/fx"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/lag"
	"github.com/algotrade/notifier/internal/obs/admin"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/sdnotify"
)

// graph is the daemon as fx sees it. Nothing else imports fx.
func graph(s *setup) fx.Option {
	return fx.Options(
		fx.NopLogger,
		fx.StopTimeout(config.StopTimeout),
		fx.Supply(s, &failure{}),
		fx.Provide(buildRegistry, newTracer, newProducers, newDeadLetters, newOutboxWriter, newMatchHandler, newReplays, newOutboxes, newMoves, newView, newConditions, newMembers, newMonitor, newBacklogs, newReporter, newWeb),
		fx.Invoke(lifecycle),
	)
}

// lifecycle starts the parts from the last stage to the first and stops them
// the other way round: nobody asks about a daemon that is going, matching ends
// before delivering, the producers outlive both, and systemd hears of all of it.
func lifecycle(lc fx.Lifecycle, f *failure, tracer *tracing.Tracer, p *producers, o *outboxes, m *members, monitor *kafka.Monitor, backlogs *lag.Monitor, moves *control.Follower, reporter *sdnotify.Reporter, server *admin.Server, end fx.Shutdowner) {
	lc.Append(running(reporter.Run, f.set))
	lc.Append(fx.StopHook(tracer.Close)) // last of what works, when every span has ended
	lc.Append(fx.StopHook(p.close))
	lc.Append(fx.StopHook(o.close))
	for _, run := range []func(context.Context) error{moves.Run, m.deliver.Run, m.match.Run, monitor.Run, backlogs.Run, server.Run} {
		lc.Append(running(run, func(err error) {
			f.set(err)
			_ = end.Shutdown()
		}))
	}
}

// running makes a hook of a Run method: started in a goroutine of its own,
// stopped by cancelling, and waited for.
func running(run func(context.Context) error, failed func(error)) fx.Hook {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	return fx.Hook{
		OnStart: func(context.Context) error {
			go func() {
				defer close(done)
				if err := run(ctx); err != nil {
					failed(err)
				}
			}()
			return nil
		},
		OnStop: func(stop context.Context) error {
			cancel()
			select {
			case <-done:
				return nil
			case <-stop.Done():
				return stop.Err()
			}
		},
	}
}

// failure keeps why a part ended the process.
type failure struct {
	mu  sync.Mutex
	err error
}

func (f *failure) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *failure) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// serve runs the daemon until ctx ends or a part of it fails. started is
// called once everything runs.
func serve(ctx context.Context, s *setup, started func(*parts)) error {
	var f *failure
	var p parts
	app := fx.New(graph(s), fx.Populate(&f, &p.server, &p.registry, &p.reporter))
	if err := app.Err(); err != nil {
		return dig.RootCause(err)
	}
	startCtx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if err := app.Start(startCtx); err != nil {
		if ctx.Err() != nil {
			return nil // nothing has failed: we were asked to stop
		}
		return dig.RootCause(err)
	}
	started(&p)
	select {
	case <-ctx.Done():
	case <-app.Wait():
	}
	p.reporter.Stopping(stoppingText(s))
	stopCtx, cancel := context.WithTimeout(context.Background(), config.StopTimeout)
	defer cancel()
	err := app.Stop(stopCtx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("the stop took longer than %s; what was in flight will be done again", config.StopTimeout)
	}
	if failed := f.get(); failed != nil {
		return exitOf(failed)
	}
	return err
}

// parts are what the commands look at while the daemon runs.
type parts struct {
	server   *admin.Server
	registry *prometheus.Registry
	reporter *sdnotify.Reporter
}

// exitOf gives a failed part's error its exit code.
func exitOf(err error) error {
	switch {
	case errors.Is(err, consume.ErrDenied):
		return &base.ExitError{Code: kafka.ExitDenied, Err: err}
	case errors.Is(err, consume.ErrFenced):
		return &base.ExitError{Code: base.ExitConfig, Err: err}
	}
	return err
}
