// Package doctor is the command doctor: all checks that are possible from this host, with remedies.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/schemaregistry"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

const aboutDoctor = `Check everything that can be checked from here, and show remedies: configuration and rules;
each broker; rights, topics, groups and offsets; the clock; each channel, without sending; the schema
registry; this host's limits; and the notifier on http.listen, if it is running. Nothing is changed and nothing is
sent. It takes ten seconds at most, and exits with 1 if a check failed. Run it as the user and on the
host of the notifier.

With --bundle FILE the results, the effective configuration, rules, versions, topics, groups, offsets
and the notifier's responses are also written to a tar.gz, for support. Secrets are redacted; review
it before you send it.`

// doctorWithin bounds all checks together.
const doctorWithin = 9 * time.Second

// The areas.
const (
	areaConfig   = "configuration"
	areaRules    = "rules"
	areaBrokers  = "brokers"
	areaRights   = "rights"
	areaTopics   = "topics"
	areaGroups   = "groups"
	areaClock    = "clock"
	areaChannels = "channels"
	areaSchemas  = "schema registry"
	areaHost     = "host"
	areaDaemon   = "daemon"
)

// areas is the display order.
var areas = []string{areaConfig, areaRules, areaBrokers, areaRights, areaTopics, areaGroups, areaClock, areaChannels, areaSchemas, areaHost, areaDaemon}

// doctor is one run of the command.
type doctor struct {
	g        *base.Globals
	config   *config.Loaded // nil: unreadable
	faults   yamldoc.Faults
	err      error // why config is nil, or config.ErrNoFile
	daemon   *base.Instance
	cluster  *cluster
	redactor *secret.Redactor
}

func New(g *base.Globals) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "doctor", Short: "Check everything that can be checked, with remedies", Long: aboutDoctor, Args: base.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			began := time.Now()
			d := newDoctor(g)
			var out *bundle
			if file != "" {
				var err error
				if out, err = newBundle(file, d); err != nil {
					return err
				}
				defer out.abandon()
			}
			defer d.cluster.close()
			found := d.check(cmd.Context())
			if err := d.show(found, time.Since(began)); err != nil {
				return err
			}
			if out != nil {
				if err := out.write(cmd.Context(), found); err != nil {
					return err
				}
				fmt.Fprintf(g.IO.Err, "written to %s: review it before you send it\n", file)
			}
			return base.Failures(found)
		},
	}
	cmd.Flags().StringVar(&file, "bundle", "", "write results and diagnostics to `FILE`, a new tar.gz")
	return cmd
}

// newDoctor loads the configuration, without a file the shipped one.
func newDoctor(g *base.Globals) *doctor {
	src := g.Source()
	d := &doctor{g: g}
	d.config, d.faults, d.err = config.Load(src)
	if errors.Is(d.err, config.ErrNoFile) {
		src.Shipped = true
		d.config, d.faults, _ = config.Load(src)
	}
	listen, brokers := config.Defaults().HTTP.Listen, config.Defaults().Kafka
	if d.config != nil {
		listen, brokers = d.config.HTTP.Listen, d.config.Kafka
	}
	d.daemon = base.NewInstance(listen)
	d.cluster = newCluster(g, &brokers)
	d.redactor = base.NewRedactor(d.config)
	d.redactor.Add(secretsOfEnvironment()...)
	g.Redactor = d.redactor
	return d
}

// check runs all checks and returns their results by area.
func (d *doctor) check(ctx context.Context) []check.Result {
	checks := []check.Check{
		{Area: areaConfig, Name: "configuration", Run: d.checkConfig},
		{Area: areaRules, Name: "rules", Run: d.checkRules},
		{Area: areaBrokers, Name: "brokers", Run: d.checkBrokers},
		{Area: areaRights, Name: "rights", Run: d.ofKafka("rights", (*kafka.Checks).CheckRights)},
		{Area: areaTopics, Name: "topics", Run: d.ofKafka("topics", (*kafka.Checks).CheckTopics)},
		{Area: areaGroups, Name: "groups", Run: d.checkGroups},
		{Area: areaGroups, Name: "outboxes of other groups", Run: d.checkOtherGroups},
		{Area: areaClock, Name: "clock", Run: d.checkClock},
		{Area: areaHost, Name: "host", Run: d.checkHost},
		{Area: areaDaemon, Name: "notifier", Run: d.checkDaemon},
	}
	if d.config != nil {
		for _, name := range d.config.Channels.Names() {
			checks = append(checks, d.channel(name))
		}
		if d.config.SchemaRegistry.Enabled() {
			checks = append(checks, check.Check{Area: areaSchemas, Name: "schema registry", Run: d.checkSchemas})
		}
	}
	found := check.Gather(ctx, doctorWithin, checks)
	slices.SortStableFunc(found, func(a, b check.Result) int { return slices.Index(areas, a.Area) - slices.Index(areas, b.Area) })
	for i, f := range found { // as a safeguard
		found[i].Subject, found[i].Message, found[i].Remedy = d.redactor.Redact(f.Subject), d.redactor.Redact(f.Message), d.redactor.Redact(f.Remedy)
	}
	return found
}

// channel returns the check of one channel, with its name in each subject.
func (d *doctor) channel(name string) check.Check {
	c := d.config.Channels.Get(name)
	checked := c.Check(name, areaChannels, d.redactor)
	run := checked.Run
	checked.Run = func(ctx context.Context) []check.Result {
		if c.Kind == "" {
			return []check.Result{check.Skipf(name+", settings", "they have a fault, see above")}
		}
		found := run(ctx)
		for i := range found {
			found[i].Subject = name + ", " + found[i].Subject
		}
		return found
	}
	return checked
}

func (d *doctor) checkSchemas(ctx context.Context) []check.Result {
	c, err := schemaregistry.New(schemaregistry.Params{Config: d.config.SchemaRegistry, Redactor: d.redactor})
	if err != nil {
		return []check.Result{check.Failedf("settings", "correct them", "%v", err)}
	}
	defer c.Close()
	return c.Check(ctx)
}

func (d *doctor) checkConfig(context.Context) []check.Result {
	var refused *config.RefusedError
	switch {
	case errors.Is(d.err, config.ErrNoFile):
		return append([]check.Result{check.Warnf("file", "name it with -c, or run 'doctor' on the host of the notifier", "no configuration found: using the shipped one")}, d.overridden()...)
	case errors.As(d.err, &refused):
		return []check.Result{check.Failedf(refused.Name, "name it explicitly: "+base.Self()+" doctor -c "+refused.Path(), "not used: %s", refused.Reason)}
	case d.err != nil:
		return []check.Result{check.Failedf("file", "correct it, or name another with -c", "%v", d.err)}
	}
	found := faultsOf(d.faults, func(f yamldoc.Fault) bool { return f.File != d.config.RulesFile() || d.config.RulesFile() == "" }, "correct it")
	if len(found) == 0 {
		found = append(found, check.Okf(d.config.File, "%s", plural.Count(len(d.config.Channels.Names()), "channel")))
	}
	for _, topic := range topics.All() {
		if ref := d.config.Events.Topics[string(topic)].Schema; d.config.Schemas.ByTopic[topic] != nil {
			found = append(found, check.Okf(ref.File, "schema of %s, mode %s", topic, ref.Mode))
		}
	}
	return append(found, d.overridden()...)
}

// overridden lists the values that do not come from the file: a daemon may have others.
func (d *doctor) overridden() []check.Result {
	var keys []string
	for _, v := range d.config.Values() {
		if name, ok := strings.CutPrefix(v.Origin, "environment "); ok || v.Origin == "flag" {
			keys = append(keys, fmt.Sprintf("%s = %s (%s)", v.Key, v.Value, name))
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return []check.Result{check.Okf("not from the file", "%s", strings.Join(keys, ", "))}
}

func (d *doctor) checkRules(context.Context) []check.Result {
	if d.config == nil {
		return []check.Result{check.Skipf("rules", "there is no configuration")}
	}
	name := d.config.RulesFile()
	found := faultsOf(d.faults, func(f yamldoc.Fault) bool { return name != "" && f.File == name }, "correct it, and check with '"+d.g.Self()+" rules check'")
	if d.config.Rules != nil && check.Count(found, check.Failed) == 0 {
		found = append([]check.Result{check.Okf(cmp.Or(name, "the shipped rules"), "%s", plural.Count(len(d.config.Rules.Rules()), "rule"))}, found...)
	}
	return found
}

// faultsOf returns the faults of a file as results.
func faultsOf(faults yamldoc.Faults, ours func(yamldoc.Fault) bool, remedy string) []check.Result {
	var found []check.Result
	for _, f := range faults {
		if !ours(f) {
			continue
		}
		subject := f.File
		if f.Line > 0 {
			subject = fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
		}
		text := f.Message
		if f.Path != "" {
			text = f.Path + ": " + text
		}
		if f.Warning {
			found = append(found, check.Warnf(subject, "", "%s", text))
			continue
		}
		found = append(found, check.Failedf(subject, remedy, "%s", text))
	}
	return found
}

// show prints the results and their number by status.
func (d *doctor) show(results []check.Result, took time.Duration) error {
	if err := d.g.WriteResults(results, func(area string) string { return area }); err != nil || d.g.JSON() {
		return err
	}
	fmt.Fprintf(d.g.IO.Err, "%d failed, %s, %d ok, %d skipped in %.1f s\n", check.Count(results, check.Failed),
		plural.Count(check.Count(results, check.Warning), "warning"), check.Count(results, check.OK), check.Count(results, check.Skipped), took.Seconds())
	return nil
}

func (d *doctor) checkBrokers(ctx context.Context) []check.Result {
	found := kafka.CheckBrokers(ctx, d.cluster.config)
	if why := d.cluster.config.InTheClear(); why != "" {
		found = append(found, check.Warnf("encryption", "set kafka.tls if the brokers support it, unless the network is trusted", "%s", why))
	}
	return found
}
