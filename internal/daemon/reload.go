package daemon

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/ingest"
	"github.com/algotrade/notifier/internal/obs/logging"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/schemaregistry"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// rules are the rules and schemas in force.
type rules struct {
	set     atomic.Pointer[rule.Set]
	decoder *event.Decoder // of any rules and schemas
}

// newSchemas returns the client of the schema registry; nil: none is configured.
func newSchemas(d *Daemon, conditions *health.Conditions) (*schemaregistry.Client, error) {
	metrics := schemaregistry.NewMetrics(d.deps.Registry)
	if !d.config.SchemaRegistry.Enabled() {
		return nil, nil
	}
	return schemaregistry.New(schemaregistry.Params{
		Config: d.config.SchemaRegistry, Redactor: d.deps.Redactor, Conditions: conditions, Metrics: metrics, Transport: d.deps.SchemaRegistry,
	})
}

func newRules(d *Daemon, schemas *schemaregistry.Client) *rules {
	r := &rules{decoder: event.NewDecoder(&d.config.Events, nil, d.deps.Registry)}
	r.decoder.Log(d.log.With("component", "ingest"))
	if schemas != nil {
		r.decoder.UseSchemas(schemas)
	}
	r.set.Store(d.config.Rules)
	return r
}

// program returns what ingest makes of the rules and of the checks of events.
func (r *rules) program(checks map[string]event.Check) ingest.Program {
	return ingest.NewProgram(r.set.Load(), r.decoder.Checking(checks))
}

// channels returns the channels that a rule can lead to, and whether there is the rule.
func (r *rules) channels(name string) ([]string, bool) {
	for _, one := range r.set.Load().Rules() {
		if one.Name == name {
			return one.Channels, true
		}
	}
	return nil, false
}

// lookEvery is how often the files are read to see whether they have changed. Contents
// count and no notifications, since editors, configuration management and Kubernetes
// replace files and links in ways of their own.
const lookEvery = 2 * time.Second

// reloader replaces the rules and the schemas when one of their files changes. Pending deliveries keep the texts
// that they were raised with; throttles, rate limits and outboxes are not touched.
type reloader struct {
	log        *slog.Logger
	loaded     *config.Loaded // nil: there is no file
	requests   <-chan struct{}
	rules      *rules
	ingest     *ingest.Handler
	channels   *channels
	conditions *health.Conditions
	ok, at     prometheus.Gauge
	reloaded   func(rules int, problem string) // see Deps; or nil

	seen  config.Files // at the last look
	tried config.Files // whose rules were compiled last, whether they could be used or not
}

func newReloader(d *Daemon, r *rules, h *ingest.Handler, c *channels, conditions *health.Conditions) *reloader {
	l := &reloader{
		log: d.log.With("component", "config"), loaded: d.config.Loaded, requests: d.reload, rules: r, ingest: h, channels: c, conditions: conditions, reloaded: d.deps.Reloaded,
		ok: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "notifier_config_last_reload_successful", Help: "1 if the rules file could be used when it was read last, at the start included.",
		}),
		at: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "notifier_config_last_reload_success_timestamp_seconds", Help: "When the rules in force were read.",
		}),
	}
	d.deps.Registry.MustRegister(l.ok, l.at)
	l.succeeded()
	if l.loaded != nil {
		l.seen, l.tried = l.loaded.LoadedFiles(), l.loaded.LoadedFiles()
	}
	return l
}

// Run reloads until ctx ends.
func (l *reloader) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.requests:
			l.look(true)
		case <-tick.C:
			l.look(false)
		}
	}
}

// look applies what has changed since the last look but one: a file that changed since
// the last one may be half written. At once, if it was asked for.
func (l *reloader) look(asked bool) {
	if l.loaded == nil {
		if asked {
			l.log.Info("nothing to reload: the rules are the shipped ones")
		}
		return
	}
	now, err := l.loaded.ReadFiles()
	before := l.seen
	if l.seen = now; err != nil {
		if asked || before == (config.Files{}) { // it may be about to be replaced
			l.refuse(err.Error())
			l.tried.Rules = [sha256.Size]byte{} // whatever it is read as later is new
		}
		return
	}
	if now.Config != l.loaded.LoadedFiles().Config && (asked || now.Config == before.Config) {
		l.conditions.Set(health.Condition{
			Type: health.Config, Subject: "notifier.yaml",
			Message: filepath.Base(l.loaded.File) + " was changed since the start: run notifier config check, then restart the daemon to apply it",
		})
	} else if now.Config == l.loaded.LoadedFiles().Config {
		l.conditions.Clear(health.Config, "notifier.yaml")
	}
	changed := now.Rules != l.tried.Rules || now.Schemas != l.tried.Schemas
	if asked || changed && now.Rules == before.Rules && now.Schemas == before.Schemas {
		l.reload()
	}
}

// reload reads the rules and the schemas and uses them if they have no errors.
func (l *reloader) reload() {
	read, faults, err := l.loaded.Reload()
	if err != nil {
		l.refuse(err.Error())
		return
	}
	set, unchanged := read.Rules, read.Files == config.Files{Rules: l.tried.Rules, Schemas: l.tried.Schemas}
	l.tried = read.Files
	if errs := faults.Errors(); len(errs) > 0 {
		l.refuse(problem(errs))
		return
	}
	for _, f := range faults {
		l.log.Warn("configuration", "warning", f.String())
	}
	former := l.rules.set.Swap(set)
	l.ingest.Use(l.rules.program(read.Checks))
	l.channels.use(set)
	l.succeeded()
	l.conditions.Clear(health.Config, "rules")
	if unchanged {
		logging.Unlimited(l.log).Info("rules reloaded: the file is unchanged", "rules", len(set.Rules()))
		return
	}
	if l.reloaded != nil {
		l.reloaded(len(set.Rules()), "")
	}
	logging.Unlimited(l.log).Info("rules reloaded", "rules", len(set.Rules()), "added", without(set, former), "removed", without(former, set))
}

func (l *reloader) succeeded() {
	l.ok.Set(1)
	l.at.SetToCurrentTime()
}

// refuse keeps the rules in force.
func (l *reloader) refuse(problem string) {
	l.ok.Set(0)
	level := slog.LevelError
	if l.reloaded != nil {
		level = slog.LevelWarn
		l.reloaded(0, problem)
	}
	l.conditions.Set(health.Condition{
		Type: health.Config, Subject: "rules", Level: level,
		Message: problem + "; the rules that were read before stay in force. Run notifier rules check",
	})
}

func problem(errs yamldoc.Faults) string {
	if len(errs) == 1 {
		return errs[0].String()
	}
	return fmt.Sprintf("%s, the first: %s", plural.Count(len(errs), "error"), errs[0])
}

// without returns the names of the rules of a set that another one has not.
func without(set, other *rule.Set) []string {
	names := []string{}
	for _, r := range set.Rules() {
		if !slices.ContainsFunc(other.Rules(), func(o rule.Rule) bool { return o.Name == r.Name }) {
			names = append(names, r.Name)
		}
	}
	return names
}
