package base

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/obs/logging"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Source says where the configuration of this invocation comes from.
func (g *Globals) Source() config.Source {
	flags := map[string]string{
		"kafka.brokers": strings.Join(g.Brokers, ","), "kafka.group": g.Group, "log.level": g.LogLevel,
	}
	return config.Source{File: g.ConfigFile, Flags: flags, Getenv: os.Getenv, Found: g.found}
}

// found says which configuration is used where no flag names one, once, before
// anything else is said: one that is picked up from somewhere may be another
// than is thought.
func (g *Globals) found(name string) {
	if !g.foundSaid {
		g.foundSaid = true
		fmt.Fprintf(g.IO.Err, "configuration: %s\n", term.Visible(name))
	}
}

// Load returns the configuration with its rules, or all of its faults.
func (g *Globals) Load(src config.Source) (*config.Loaded, error) {
	l, faults, err := config.Load(src)
	if err != nil {
		return nil, Fail(ExitConfig, "%w", err)
	}
	g.Redactor = NewRedactor(l)
	return l, g.ReportFaults("the configuration", faults)
}

// LoadQuietly is load for the daemon: warnings, and which file was found, are
// its log's matter unless it does not come to that.
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

// ReportFaults prints every fault of what; an error if there is one that is not
// only a warning.
func (g *Globals) ReportFaults(what string, faults yamldoc.Faults) error {
	for _, f := range faults {
		fmt.Fprintln(g.IO.Err, term.Visible(g.Redactor.Redact(f.String())))
	}
	if n := len(faults.Errors()); n > 0 {
		return Fail(ExitConfig, "%s has %s", what, term.Count(n, "fault"))
	}
	return nil
}

// Kafka returns how to reach the cluster, for commands that need nothing else:
// they work without a file, and with faults elsewhere in it.
func (g *Globals) Kafka() (*kafka.Config, error) {
	l, err := g.Part("kafka")
	if err != nil {
		return nil, err
	}
	return &l.Kafka, nil
}

// Part returns the configuration for commands that need only these keys of it,
// whose faults alone count.
func (g *Globals) Part(keys ...string) (*config.Loaded, error) {
	src := g.Source()
	src.Shipped = true
	l, faults, err := config.LoadBase(src)
	if err != nil {
		return nil, Fail(ExitConfig, "%w", err)
	}
	g.InUse, g.Redactor = l.Kafka.Group, NewRedactor(l)
	var ours yamldoc.Faults
	for _, f := range faults {
		key, _, _ := strings.Cut(f.Path, ".")
		if key, _, _ = strings.Cut(key, "["); f.Path == "" && !f.Warning || slices.Contains(keys, key) {
			ours = append(ours, f)
		}
	}
	return l, g.ReportFaults("the configuration", ours)
}

// Reach returns a client of a cluster that answers.
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

// Logger logs to standard error: text where that is a terminal, JSON elsewhere,
// unless the configuration says which.
func (g *Globals) Logger(l *config.Loaded) *logging.Log {
	text := l.Log.Format == "text" || l.Log.Format == "auto" && term.IsTerminal(g.IO.Err)
	return logging.New(g.IO.Err, l.Log.Level.Level, text, g.Redactor)
}

// Bare is an error of a file without the file's name, for callers that add it.
func Bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
