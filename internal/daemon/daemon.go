// Package daemon is the notifier as one value: the stages ingest and dispatch,
// what follows control records, what watches the brokers, the HTTP server and
// what reports to systemd, wired once. The command, the end-to-end tests and the
// benchmarks all start this.
//
// New makes no connection. Run first looks at the cluster (look.go: reachable,
// topics, rights, where the groups start), then builds the parts (parts.go),
// starts them from the last stage to the first, and stops them in the other order
// (graph.go). Ready and Live (status.go) answer /readyz, /livez and systemd.
package daemon

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/secret"
)

// Deps is what a daemon gets from the process that it runs in. Only Logger is
// required.
type Deps struct {
	Logger   *slog.Logger
	Level    *slog.LevelVar       // changed by PUT /log-level
	Registry *prometheus.Registry // nil: one of its own
	Redactor *secret.Redactor     // takes secrets out of dead letters and /readyz
	// Started is called once every part runs, with the HTTP server's address.
	Started func(http string)
	// DeadLettered and Closed are called for every dead letter that was written and
	// closed.
	DeadLettered func(*dlq.Entry)
	Closed       func(dlq.Closure)
	// KafkaOptions are added to those of each client: preflight, probe, outbox,
	// dead-letters, match, deliver. Tests dial brokers in memory with them.
	KafkaOptions func(role string) []kgo.Opt
	// Handler wraps the handler of each group's partitions. Tests watch assignments
	// with it.
	Handler func(group string, h consume.Handler) consume.Handler
}

// Daemon is one notifier.
type Daemon struct {
	config  Config
	deps    Deps
	log     *slog.Logger
	running atomic.Pointer[status] // nil until the parts are built
}

// New returns a daemon. It makes no connection; an error means that the
// configuration cannot be used.
func New(c Config, d Deps) (*Daemon, error) {
	if d.Registry == nil {
		d.Registry = prometheus.NewRegistry()
	}
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "notifier_build_info", Help: "1, with the version as a label.",
	}, []string{"version"})
	info.WithLabelValues(c.Version).Set(1)
	d.Registry.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	daemon := &Daemon{config: c, deps: d, log: d.Logger}
	if _, err := daemon.options("preflight", quiet, nil); err != nil {
		return nil, &kafka.Problem{Exit: kafka.ExitConfig, Text: err.Error()}
	}
	return daemon, nil
}

// quiet is for clients whose errors are returned.
var quiet = slog.New(slog.DiscardHandler)

// options returns what the client in a role is made with.
func (d *Daemon) options(role string, log *slog.Logger, reg prometheus.Registerer) ([]kgo.Opt, error) {
	opts, err := d.config.Kafka.Options(role, log, reg)
	if err == nil && d.deps.KafkaOptions != nil {
		opts = append(opts, d.deps.KafkaOptions(role)...)
	}
	return opts, err
}

// client returns a client for a short time, whose errors are returned.
func (d *Daemon) client(role string) (*kgo.Client, error) {
	opts, err := d.options(role, quiet, nil)
	if err != nil {
		return nil, err
	}
	return kgo.NewClient(opts...)
}

// probe connect again and asks a broker for a sign of life: connections that are
// open say nothing about whether a new one could be made.
func (d *Daemon) probe(ctx context.Context) error {
	cl, err := d.client("probe")
	if err != nil {
		return err
	}
	defer cl.Close()
	return kafka.Reach(ctx, cl, &d.config.Kafka)
}

// Run looks at the cluster, runs until ctx ends, and stops. It returns nil after
// a stop, also one before everything ran; a *kafka.Problem, or an error of
// consume.EnsureStart, if the cluster is not fit; and the error of a part that
// failed, such as consume.ErrDenied or consume.ErrFenced, once the others have
// stopped.
func (d *Daemon) Run(ctx context.Context) error {
	found, err := d.prepare(ctx)
	if err == nil {
		err = d.serve(ctx, found)
	}
	switch {
	case err == nil:
		d.log.Info("stopped")
	case ctx.Err() != nil && d.running.Load() == nil: // nothing failed, it was asked to stop
		d.log.Info("stopped before it ran", "cause", context.Cause(ctx), "err", err)
		err = nil
	}
	return err
}
