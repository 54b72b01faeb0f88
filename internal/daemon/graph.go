package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/dig"
	"go.uber.org/fx"

	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/lag"
	"github.com/algotrade/notifier/internal/obs/admin"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/schemaregistry"
	"github.com/algotrade/notifier/internal/sdnotify"
	"github.com/algotrade/notifier/internal/state"
	"github.com/algotrade/notifier/internal/trouble"
)

// graph returns the parts for fx. No other file imports fx.
func graph(d *Daemon, found *cluster) fx.Option {
	return fx.Options(
		fx.NopLogger,
		fx.StopTimeout(config.StopTimeout),
		fx.Supply(d, found),
		fx.Provide(newTracer, newProducers, newDeadLetters, newDeliveryLog, newOutboxProducer, newNotices, newSchemas, newRules, newReloader, newIngest, newReplays, newState, newChannels, newControl, newView, newConditions, newMembers, newMonitor, newBacklogs, newTrouble, newStatus, newReporter, newServer),
	)
}

// parts are started and stopped by lifecycle.
type parts struct {
	fx.In

	Tracer   *tracing.Tracer
	Clients  *producers
	Outboxes *outbox.Producer
	Log      *deliverylog.Writer
	Channels *channels
	Schemas  *schemaregistry.Client // nil: none
	Control  *control.Follower
	State    *state.Store
	Members  *members
	Monitor  *kafka.Monitor
	Backlogs *lag.Monitor
	Trouble  *trouble.Watcher
	Reloader *reloader
	Status   *status
	Reporter *sdnotify.Reporter
	Server   *admin.Server // nil: none
}

// startTimeout bounds starting the parts, loadTimeout loading the outbox topics.
const startTimeout, loadTimeout = 15 * time.Second, 10 * time.Second

// lifecycle starts the parts from the last stage to the first and stops them in reverse: the
// HTTP server, ingest, dispatch, then the producers. Loading the outbox topics ends with ctx.
// fail is called with the error of a part.
func lifecycle(ctx context.Context, lc fx.Lifecycle, p parts, fail func(error)) {
	start := func(run func(context.Context) error) { lc.Append(running(run, fail)) }
	start(p.Reporter.Run)
	lc.Append(fx.StopHook(p.Tracer.Close)) // after all spans
	lc.Append(fx.StopHook(p.Clients.close))
	if p.Schemas != nil {
		lc.Append(fx.StopHook(p.Schemas.Close))
	}
	start(p.Log.Run)
	lc.Append(fx.StopHook(p.Channels.close))
	lc.Append(fx.StartHook(func() error { return load(ctx, p.Outboxes) }))
	for _, run := range []func(context.Context) error{p.Control.Run, p.State.Run, p.Members.dispatch.Run, p.Members.ingest.Run, p.Monitor.Run, p.Backlogs.Run, p.Trouble.Run, p.Reloader.Run} {
		start(run)
	}
	if p.Server != nil {
		start(p.Server.Run)
	}
}

// load loads the outbox topics.
func load(ctx context.Context, o *outbox.Producer) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	if err := o.Load(ctx); err != nil { // they existed a moment ago: a restart can help
		return &kafka.Problem{Exit: kafka.ExitUnavailable, Text: err.Error()}
	}
	return nil
}

// running returns a hook that runs a Run method in a goroutine until the stop.
func running(run func(context.Context) error, fail func(error)) fx.Hook {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	return fx.Hook{
		OnStart: func(context.Context) error {
			go func() {
				defer close(done)
				if err := run(ctx); err != nil {
					fail(err)
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

// serve builds and starts the parts, and stops them when ctx ends or one fails.
func (d *Daemon) serve(ctx context.Context, found *cluster) error {
	failed, fail := context.WithCancelCause(context.WithoutCancel(ctx)) // the first error is the cause
	defer fail(nil)
	var p parts
	app := fx.New(graph(d, found), fx.Invoke(func(lc fx.Lifecycle, all parts) {
		p = all
		lifecycle(ctx, lc, all, fail)
	}))
	if err := app.Err(); err != nil {
		return dig.RootCause(err)
	}
	start, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTimeout) // a stop ends load, not the roll-back
	defer cancel()
	if err := app.Start(start); err != nil {
		return dig.RootCause(err)
	}
	d.running.Store(p.Status)
	d.started(p.Server)
	select {
	case <-ctx.Done():
		d.log.Info("stopping", "cause", context.Cause(ctx), "drain", d.config.Drain)
	case <-failed.Done():
	}
	p.Reporter.Stopping(fmt.Sprintf("stopping: deliveries in flight may take %s", d.config.Drain))
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), config.StopTimeout)
	defer cancel()
	err := app.Stop(stop)
	switch {
	case failed.Err() != nil:
		return context.Cause(failed)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("shutdown took longer than %s; what was in flight will be repeated", config.StopTimeout)
	}
	return err
}

func (d *Daemon) started(server *admin.Server) {
	http := ""
	if server != nil {
		http = server.Addr()
	}
	d.log.Info("running", "version", d.config.Version, "config", d.config.File, "group", d.config.Kafka.Group, "brokers", d.config.Kafka.Brokers,
		"rules", len(d.config.Rules.Rules()), "channels", d.config.channelNames(), "http", http)
	if d.deps.Started != nil {
		d.deps.Started(http)
	}
}
