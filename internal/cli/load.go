package cli

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
	"github.com/algotrade/notifier/internal/yamldoc"
)

// source says where the configuration of this invocation comes from.
func (g *globals) source() config.Source {
	flags := map[string]string{
		"kafka.brokers": strings.Join(g.brokers, ","), "kafka.group": g.group, "log.level": g.logLevel,
	}
	return config.Source{File: g.config, Flags: flags, Getenv: os.Getenv, Found: g.found}
}

// found says which configuration is used where no flag names one, once, before
// anything else is said: one that is picked up from somewhere may be another
// than is thought.
func (g *globals) found(name string) {
	if !g.foundSaid {
		g.foundSaid = true
		fmt.Fprintf(g.io.err, "configuration: %s\n", visible(name))
	}
}

// load returns the configuration with its rules, or all of its faults.
func (g *globals) load(src config.Source) (*config.Loaded, error) {
	l, faults, err := config.Load(src)
	if err != nil {
		return nil, fail(exitConfig, "%w", err)
	}
	g.redactor = newRedactor(l)
	return l, g.reportFaults("the configuration", faults)
}

// loadQuietly is load for the daemon: warnings, and which file was found, are
// its log's matter unless it does not come to that.
func (g *globals) loadQuietly(src config.Source) (*config.Loaded, yamldoc.Faults, error) {
	found := ""
	src.Found = func(name string) { found = name }
	l, faults, err := config.Load(src)
	if found != "" && (err != nil || len(faults.Errors()) > 0) {
		g.found(found)
	}
	if err != nil {
		return nil, nil, fail(exitConfig, "%w", err)
	}
	g.redactor = newRedactor(l)
	if len(faults.Errors()) > 0 {
		return nil, nil, g.reportFaults("the configuration", faults)
	}
	return l, faults, nil
}

// reportFaults prints every fault of what; an error if there is one that is not
// only a warning.
func (g *globals) reportFaults(what string, faults yamldoc.Faults) error {
	for _, f := range faults {
		fmt.Fprintln(g.io.err, visible(g.redactor.Redact(f.String())))
	}
	if n := len(faults.Errors()); n > 0 {
		return fail(exitConfig, "%s has %s", what, count(n, "fault"))
	}
	return nil
}

// kafka returns how to reach the cluster, for commands that need nothing else:
// they work without a file, and with faults elsewhere in it.
func (g *globals) kafka() (*kafka.Config, error) {
	l, err := g.part("kafka")
	if err != nil {
		return nil, err
	}
	return &l.Kafka, nil
}

// part returns the configuration for commands that need only these keys of it,
// whose faults alone count.
func (g *globals) part(keys ...string) (*config.Loaded, error) {
	src := g.source()
	src.Shipped = true
	l, faults, err := config.LoadBase(src)
	if err != nil {
		return nil, fail(exitConfig, "%w", err)
	}
	g.inUse, g.redactor = l.Kafka.Group, newRedactor(l)
	var ours yamldoc.Faults
	for _, f := range faults {
		key, _, _ := strings.Cut(f.Path, ".")
		if key, _, _ = strings.Cut(key, "["); f.Path == "" && !f.Warning || slices.Contains(keys, key) {
			ours = append(ours, f)
		}
	}
	return l, g.reportFaults("the configuration", ours)
}

// reach returns a client of a cluster that answers.
func (g *globals) reach(ctx context.Context, c *kafka.Config, role string, more ...kgo.Opt) (*kgo.Client, error) {
	opts, err := c.Options(role, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return nil, fail(exitConfig, "%w", err)
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

// logger logs to standard error: text where that is a terminal, JSON elsewhere,
// unless the configuration says which.
func (g *globals) logger(l *config.Loaded) *logging.Log {
	text := l.Log.Format == "text" || l.Log.Format == "auto" && isTerminal(g.io.err)
	return logging.New(g.io.err, l.Log.Level.Level, text, g.redactor)
}

// bare is an error of a file without the file's name, for whoever says it.
func bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
