package doctor

import (
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
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/yamldoc"
)

const aboutDoctor = `Check everything that can be checked from here, and say what to do: the configuration and its
rules; each broker; rights, topics, groups and their offsets; the clock; each channel, without
sending anything; this host's limits; and the notifier that answers on http.listen, if one does.
Nothing is changed, and nobody is sent anything. It takes ten seconds at most, and exits with 1
where a check failed. Run it as the user and on the host that the notifier runs on.

With --bundle FILE what was found goes into a tar.gz besides, to be sent to somebody who helps:
the results, the configuration as it is in force, rules, versions, topics, groups and offsets,
and what the notifier serves. Secrets are taken out of all of it. Look into it all the same.`

// doctorWithin bounds all checks together.
const doctorWithin = 9 * time.Second

// The areas, in the order in which they are shown.
const (
	areaConfig   = "configuration"
	areaRules    = "rules"
	areaBrokers  = "brokers"
	areaRights   = "rights"
	areaTopics   = "topics"
	areaGroups   = "groups"
	areaClock    = "clock"
	areaChannels = "channels"
	areaHost     = "host"
	areaDaemon   = "daemon"
)

var areas = []string{areaConfig, areaRules, areaBrokers, areaRights, areaTopics, areaGroups, areaClock, areaChannels, areaHost, areaDaemon}

// doctor is one examination.
type doctor struct {
	g       *base.Globals
	config  *config.Loaded // nil: it cannot be read
	faults  yamldoc.Faults
	err     error // why it cannot be read
	daemon  *base.Instance
	cluster *cluster
	hide    *secret.Redactor
}

func New(g *base.Globals) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "doctor", Short: "Check everything that can be checked, and say what to do", Long: aboutDoctor, Args: base.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			began := time.Now()
			d := newExamination(g)
			var out *bundle
			if file != "" {
				var err error
				if out, err = newBundle(file, d); err != nil {
					return err
				}
				defer out.abandon()
			}
			defer d.cluster.close()
			found := d.examine(cmd.Context())
			if err := d.show(found, time.Since(began)); err != nil {
				return err
			}
			if out != nil {
				if err := out.write(cmd.Context(), found); err != nil {
					return err
				}
				fmt.Fprintf(g.IO.Err, "written to %s: look into it before you send it on\n", file)
			}
			return base.Failures(found)
		},
	}
	cmd.Flags().StringVar(&file, "bundle", "", "write what was found, and what helps to understand it, to `FILE`, a new tar.gz")
	return cmd
}

// newExamination reads the configuration, as far as it can be read: without a
// file it is the shipped one.
func newExamination(g *base.Globals) *doctor {
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
	d.hide = base.NewRedactor(d.config)
	d.hide.Add(secretsOfEnvironment()...)
	g.Redactor = d.hide
	return d
}

// examine runs all checks and returns what they found, area by area.
func (d *doctor) examine(ctx context.Context) []check.Result {
	checks := []check.Check{
		{Area: areaConfig, Name: "configuration", Look: d.lookAtConfig},
		{Area: areaRules, Name: "rules", Look: d.lookAtRules},
		{Area: areaBrokers, Name: "brokers", Look: d.lookAtBrokers},
		{Area: areaRights, Name: "rights", Look: d.ofKafka("rights", (*kafka.Checks).LookAtRights)},
		{Area: areaTopics, Name: "topics", Look: d.ofKafka("topics", (*kafka.Checks).LookAtTopics)},
		{Area: areaGroups, Name: "groups", Look: d.lookAtGroups},
		{Area: areaGroups, Name: "outboxes of other groups", Look: d.lookAtOtherGroups},
		{Area: areaClock, Name: "clock", Look: d.lookAtClock},
		{Area: areaHost, Name: "host", Look: d.lookAtHost},
		{Area: areaDaemon, Name: "notifier", Look: d.lookAtDaemon},
	}
	if d.config != nil {
		for _, name := range d.config.Channels.Names() {
			checks = append(checks, d.channel(name))
		}
	}
	found := check.Gather(ctx, doctorWithin, checks)
	slices.SortStableFunc(found, func(a, b check.Result) int { return slices.Index(areas, a.Area) - slices.Index(areas, b.Area) })
	for i, f := range found { // it should be in none of them
		found[i].Subject, found[i].Message, found[i].Remedy = d.hide.Redact(f.Subject), d.hide.Redact(f.Message), d.hide.Redact(f.Remedy)
	}
	return found
}

// channel is the check of one channel: its own, each subject with its name.
func (d *doctor) channel(name string) check.Check {
	c := d.config.Channels.Get(name)
	looked := c.Check(name, areaChannels, d.hide)
	if c.Kind == "" {
		looked.Look = func(context.Context) []check.Result {
			return []check.Result{check.Skipf("settings", "it has a fault, see above")}
		}
	}
	look := looked.Look
	looked.Look = func(ctx context.Context) []check.Result {
		found := look(ctx)
		for i := range found {
			found[i].Subject = name + ", " + found[i].Subject
		}
		return found
	}
	return looked
}

func (d *doctor) lookAtConfig(context.Context) []check.Result {
	const correct = "correct it there"
	var refused *config.RefusedError
	switch {
	case errors.Is(d.err, config.ErrNoFile):
		return append([]check.Result{check.Warnf("file", "name it with -c, or run 'doctor' where the notifier runs", "there is none here: what follows is about the shipped one")}, d.overridden()...)
	case errors.As(d.err, &refused):
		return []check.Result{check.Failedf(refused.Name, "to use it, name it: "+base.Self()+" doctor -c "+refused.Path(), "not used: %s", refused.Reason)}
	case d.err != nil:
		return []check.Result{check.Failedf("file", "mend it, or name another with -c", "%v", d.err)}
	}
	found := faultsOf(d.faults, func(f yamldoc.Fault) bool { return f.File != d.config.RulesFile() || d.config.RulesFile() == "" }, correct)
	if len(found) == 0 {
		found = append(found, check.Okf(d.config.File, "%s", term.Count(len(d.config.Channels.Names()), "channel")))
	}
	return append(found, d.overridden()...)
}

// overridden says which values do not come from the file: what a daemon that is
// started elsewhere has may differ.
func (d *doctor) overridden() []check.Result {
	var keys []string
	for _, v := range d.config.Values() {
		if name, ok := strings.CutPrefix(v.Origin, "environment "); ok {
			keys = append(keys, fmt.Sprintf("%s = %s (%s)", v.Key, v.Value, name))
		} else if v.Origin == "flag" {
			keys = append(keys, fmt.Sprintf("%s = %s (flag)", v.Key, v.Value))
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return []check.Result{check.Okf("not from the file", "%s", strings.Join(keys, ", "))}
}

func (d *doctor) lookAtRules(context.Context) []check.Result {
	if d.config == nil {
		return []check.Result{check.Skipf("rules", "the configuration names them")}
	}
	name := d.config.RulesFile()
	found := faultsOf(d.faults, func(f yamldoc.Fault) bool { return name != "" && f.File == name }, "correct it there, and look with '"+d.g.Self()+" rules check'")
	if d.config.Rules != nil && check.Count(found, check.Failed) == 0 {
		found = append([]check.Result{check.Okf(orElse(name, "the shipped rules"), "%s", term.Count(len(d.config.Rules.Rules()), "rule"))}, found...)
	}
	return found
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// faultsOf turns the faults of a file into findings.
func faultsOf(faults yamldoc.Faults, ours func(yamldoc.Fault) bool, do string) []check.Result {
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
		found = append(found, check.Failedf(subject, do, "%s", text))
	}
	return found
}

// show prints the results: grouped for people, one object a line for programs.
func (d *doctor) show(results []check.Result, took time.Duration) error {
	if err := d.g.WriteResults(results, func(area string) string { return area }); err != nil || d.g.JSON() {
		return err
	}
	fmt.Fprintf(d.g.IO.Err, "%d failed, %s, %d ok, %d skipped in %.1f s\n", check.Count(results, check.Failed),
		term.Count(check.Count(results, check.Warning), "warning"), check.Count(results, check.OK), check.Count(results, check.Skipped), took.Seconds())
	return nil
}

func (d *doctor) lookAtBrokers(ctx context.Context) []check.Result {
	found := kafka.CheckBrokers(ctx, d.cluster.config)
	if why := d.cluster.config.InTheClear(); why != "" {
		found = append(found, check.Warnf("encryption", "set kafka.tls where the brokers have it, unless the network is nobody else's", "%s", why))
	}
	return found
}
