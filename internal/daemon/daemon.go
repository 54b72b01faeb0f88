// Package daemon wires the notifier: the stages ingest and dispatch, control records, broker
// monitoring, HTTP server and systemd reports. The command, the end-to-end tests and the
// benchmarks all start it.
//
// New makes no connection. Run first prepares (prepare.go: brokers, topics, rights, start
// offsets), builds the parts (parts.go), starts them from the last stage to the first and
// stops them in reverse (graph.go). Ready and Live (status.go) implement /readyz and /livez.
package daemon

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/secret"
)

// Deps are the dependencies of a daemon. Only Logger is required.
type Deps struct {
	Logger   *slog.Logger
	Level    *slog.LevelVar       // changed by PUT /log-level
	Registry *prometheus.Registry // nil: a new one
	Redactor *secret.Redactor     // of dead letters and /readyz
	// Started is called when every part runs, with the HTTP server's address.
	Started func(http string)
	// DeadLettered and Closed are called when a dead letter was written or closed.
	DeadLettered func(*dlq.Entry)
	Closed       func(dlq.Closure)
	// Reloaded is called when changed rules are in force, with their number, or were
	// refused, with the problem. A refusal is then a warning in the log, no error.
	Reloaded func(rules int, problem string)
	// KafkaOptions returns additional options of each client, for tests: preflight, probe,
	// outbox, dead-letters, deliveries, replay, ingest, dispatch.
	KafkaOptions func(role string) []kgo.Opt
	// SchemaRegistry is the way to the schema registry, for tests; nil: that of the Config.
	SchemaRegistry http.RoundTripper
	// Handler wraps the handler of each group, for tests.
	Handler func(group string, h consume.Handler) consume.Handler
}

// Daemon is one notifier.
type Daemon struct {
	config  Config
	deps    Deps
	log     *slog.Logger
	running atomic.Pointer[status] // nil until the parts are built
	reload  chan struct{}          // asks for a reload
}

// New returns a daemon. It makes no connection; the error is one of the configuration.
func New(c Config, d Deps) (*Daemon, error) {
	if d.Registry == nil {
		d.Registry = prometheus.NewRegistry()
	}
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "notifier_build_info", Help: "1, with the version as a label.",
	}, []string{"version"})
	info.WithLabelValues(c.Version).Set(1)
	d.Registry.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	daemon := &Daemon{config: c, deps: d, log: d.Logger, reload: make(chan struct{}, 1)}
	if _, err := daemon.options("preflight", quiet, nil); err != nil {
		return nil, &kafka.Problem{Exit: kafka.ExitConfig, Text: err.Error()}
	}
	return daemon, nil
}

// Reload has the running daemon read its rules file again, now or once all parts run. A
// faulty file changes nothing and is a condition.
func (d *Daemon) Reload() {
	select {
	case d.reload <- struct{}{}:
	default: // one is to come
	}
}

// quiet is for clients whose errors are returned.
var quiet = slog.New(slog.DiscardHandler)

// options returns the options of the client with this role.
func (d *Daemon) options(role string, log *slog.Logger, reg prometheus.Registerer) ([]kgo.Opt, error) {
	opts, err := d.config.Kafka.Options(role, log, reg)
	if err == nil && d.deps.KafkaOptions != nil {
		opts = append(opts, d.deps.KafkaOptions(role)...)
	}
	return opts, err
}

// client returns a short-lived client that does not log.
func (d *Daemon) client(role string) (*kgo.Client, error) {
	opts, err := d.options(role, quiet, nil)
	if err != nil {
		return nil, err
	}
	return kgo.NewClient(opts...)
}

// probe makes a new connection to a broker.
func (d *Daemon) probe(ctx context.Context) error {
	cl, err := d.client("probe")
	if err != nil {
		return err
	}
	defer cl.Close()
	return kafka.Reach(ctx, cl, &d.config.Kafka)
}

// Run prepares, runs until ctx ends, and stops. It returns nil after a stop, also before all
// parts ran; a *kafka.Problem or an error of consume.EnsureStart if preparing failed; else the
// error of a part that failed, such as consume.ErrDenied, after the other parts have stopped.
func (d *Daemon) Run(ctx context.Context) error {
	found, err := d.prepare(ctx)
	if err == nil {
		err = d.serve(ctx, found)
	}
	switch {
	case err == nil:
		d.log.Info("stopped")
	case ctx.Err() != nil && d.running.Load() == nil:
		d.log.Info("stopped before start was complete", "cause", context.Cause(ctx), "err", err)
		err = nil
	}
	return err
}
