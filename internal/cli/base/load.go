package base

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/obs/logging"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Source returns where the configuration comes from.
func (g *Globals) Source() config.Source {
	flags := map[string]string{
		"kafka.brokers": strings.Join(g.Brokers, ","), "kafka.group": g.Group, "log.level": g.LogLevel,
	}
	return config.Source{File: g.ConfigFile, Flags: flags, Getenv: os.Getenv, Found: g.found}
}

// found prints once which configuration was found.
func (g *Globals) found(name string) {
	if !g.reported {
		g.reported = true
		fmt.Fprintf(g.IO.Err, "configuration: %s\n", term.Visible(name))
	}
}

// Load returns the configuration with its rules. It prints all faults.
func (g *Globals) Load(src config.Source) (*config.Loaded, error) {
	l, faults, err := config.Load(src)
	if err != nil {
		return nil, Fail(ExitConfig, "%w", err)
	}
	g.Redactor = NewRedactor(l)
	return l, g.ReportFaults("the configuration", faults)
}

// LoadQuietly is Load for the daemon, which logs the warnings and the file: both
// are printed only with an error.
func (g *Globals) LoadQuietly(src config.Source) (*config.Loaded, yamldoc.Faults, error) {
	found := ""
	src.Found = func(name string) { found = name }
	l, faults, err := config.Load(src)
	if found != "" && (err != nil || len(faults.Errors()) > 0) {
		g.found(found)
	}
	if err != nil {
		return nil, nil, Fail(ExitConfig, "%w", err)
	}
	g.Redactor = NewRedactor(l)
	if len(faults.Errors()) > 0 {
		return nil, nil, g.ReportFaults("the configuration", faults)
	}
	return l, faults, nil
}

// ReportFaults prints the faults of what. It returns an error unless all are
// warnings.
func (g *Globals) ReportFaults(what string, faults yamldoc.Faults) error {
	for _, f := range faults {
		term.WriteMessage(g.IO.Err, term.Visible(g.Redactor.Redact(f.String())))
	}
	if n := len(faults.Errors()); n > 0 {
		return Fail(ExitConfig, "%s has %s", what, plural.Count(n, "fault"))
	}
	return nil
}

// Kafka returns the connection settings. Other settings may be missing or faulty.
func (g *Globals) Kafka() (*kafka.Config, error) {
	l, err := g.Part("kafka")
	if err != nil {
		return nil, err
	}
	return &l.Kafka, nil
}

// Part returns the configuration for a command that uses only these keys. It
// ignores faults of other keys.
func (g *Globals) Part(keys ...string) (*config.Loaded, error) {
	src := g.Source()
	src.Shipped = true
	l, faults, err := config.LoadBase(src)
	if err != nil {
		return nil, Fail(ExitConfig, "%w", err)
	}
	g.InUse, g.Redactor = l.Kafka.Group, NewRedactor(l)
	faults = slices.DeleteFunc(faults, func(f yamldoc.Fault) bool {
		key := f.Path
		if i := strings.IndexAny(key, ".["); i >= 0 {
			key = key[:i]
		}
		return (f.Path != "" || f.Warning) && !slices.Contains(keys, key)
	})
	return l, g.ReportFaults("the configuration", faults)
}

// Reach returns a client that has reached the cluster.
func (g *Globals) Reach(ctx context.Context, c *kafka.Config, role string, more ...kgo.Opt) (*kgo.Client, error) {
	opts, err := c.Options(role, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return nil, Fail(ExitConfig, "%w", err)
	}
	cl, err := kgo.NewClient(append(opts, more...)...)
	if err != nil {
		return nil, err
	}
	if err := kafka.Reach(ctx, cl, c); err != nil {
		cl.Close()
		return nil, err
	}
	return cl, nil
}

// Logger logs to standard error: as text on a terminal, else as JSON, unless the
// configuration has a format.
func (g *Globals) Logger(l *config.Loaded) *logging.Log {
	text := l.Log.Format == "text" || l.Log.Format == "auto" && term.IsTerminal(g.IO.Err)
	return logging.New(g.IO.Err, l.Log.Level.Level, text, g.Redactor)
}
