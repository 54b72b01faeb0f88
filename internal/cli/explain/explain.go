// Package explain is the command rules explain: which rules an event raises, why the others
// do not, what became of its alerts in each channel, and what would become of them now.
package explain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/safefile"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

const about = `Explain which rules an event raises, and why the others do not: which part of a condition was false, and
on which value. For the rules that it raises: what was sent in each channel, and what would be sent now.

The event is a record of a source topic (TOPIC/PARTITION@OFFSET), one JSON document (--event), or that of an
alert in the delivery log (--alert). Nothing is sent or written, and no group is joined. What the rules
read of the time, such as age(), is as of the record's timestamp; of --event, as of the event's own time.

Of the rules that are not raised, the three with the fewest false parts are shown in full.`

// options are the flags and arguments of one run.
type options struct {
	place, file, alert string
	topic              string
	rule, rules        string
	all                bool
}

// New returns the command.
func New(g *base.Globals) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "explain (TOPIC/PARTITION@OFFSET | --event FILE | --alert ID)",
		Short: "Explain what the rules make of an event", Long: about,
		Args: base.AtMostOne("the place of a record"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.place = args[0]
			}
			if err := o.check(); err != nil {
				return err
			}
			return run(cmd.Context(), g, &o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.file, "event", "", "an event from `FILE` (- is standard input): one JSON document")
	f.StringVar(&o.topic, "topic", "", "the `TOPIC` of --event (default: the one whose samples have its type)")
	f.StringVar(&o.alert, "alert", "", "the event of an alert or a delivery with this `ID`, which may be abbreviated")
	f.StringVar(&o.rule, "rule", "", "only this `RULE`")
	f.StringVar(&o.rules, "rules", "", "the rules of `FILE` instead of the configured ones")
	f.BoolVar(&o.all, "all", false, "all rules in full")
	base.Complete(cmd, "rule", g.RuleNames)
	base.Complete(cmd, "topic", base.Words(topicNames()...))
	base.Complete(cmd, "alert", base.NoWords)
	return cmd
}

func topicNames() []string {
	var names []string
	for _, t := range topics.All() {
		names = append(names, string(t))
	}
	return names
}

func (o *options) check() error {
	given := 0
	for _, text := range []string{o.place, o.file, o.alert} {
		if text != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return base.Misused("give one of TOPIC/PARTITION@OFFSET, --event FILE and --alert ID")
	case o.topic != "" && o.file == "":
		return base.Misused("--topic is of --event only")
	case o.alert != "" && len(o.alert) <= len("al_"):
		return base.Misused("%q is too short for an id, such as al_6f2c", o.alert)
	}
	if o.topic != "" {
		if _, err := topics.Parse(o.topic); err != nil {
			return base.Misused("--topic: %w", err)
		}
	}
	return nil
}

func run(ctx context.Context, g *base.Globals, o *options) error {
	l, set, err := load(g, o)
	if err != nil {
		return err
	}
	if o.rule != "" {
		if err := checkRule(set, o.rule); err != nil {
			return err
		}
	}
	c := &cluster{g: g, config: &l.Kafka}
	defer c.close()
	decoder, err := g.Decoder(ctx, l)
	if err != nil {
		return err
	}
	r, rec, err := given(ctx, g, l, o, c, decoder)
	if err != nil {
		return err
	}
	if rec != nil {
		if err := r.explain(decoder, l, set, o, *rec); err != nil {
			return err
		}
		if err := r.ask(ctx, c); err != nil {
			return err
		}
	}
	if g.JSON() {
		return base.NewEncoder(g.IO.Out).Encode(r.json())
	}
	return r.print(g, o)
}

// load returns the configuration and the rules, those of --rules if it is given.
func load(g *base.Globals, o *options) (*config.Loaded, *rule.Set, error) {
	src := g.Source()
	src.Shipped = true
	l, faults, err := config.Load(src)
	if err != nil {
		return nil, nil, base.Fail(base.ExitConfig, "%w", err)
	}
	g.InUse, g.Redactor = l.Kafka.Group, base.NewRedactor(l)
	if o.rules == "" {
		return l, l.Rules, g.ReportFaults("the configuration", faults.Errors())
	}
	data, err := safefile.Read(o.rules, yamldoc.MaxBytes)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read %s: %w", o.rules, safefile.Reason(err))
	}
	set, faults := l.CompileRules(o.rules, data)
	return l, set, g.ReportFaults(o.rules, faults.Errors())
}

func checkRule(set *rule.Set, name string) error {
	var names []string
	for _, r := range set.Rules() {
		names = append(names, r.Name)
	}
	switch near := suggest.Closest(name, names); {
	case slices.Contains(names, name):
		return nil
	case near != "":
		return base.Misused("there is no rule %s, did you mean %s?", name, near)
	}
	return base.Misused("there is no rule %s: choose from %s", name, strings.Join(names, ", "))
}

// explain decodes the record, and has the rules explained.
func (r *report) explain(decoder *event.Decoder, l *config.Loaded, set *rule.Set, o *options, rec event.Record) error {
	ev, err := decoder.Decode(rec)
	r.record = &rec
	var unreadable *outcome.Error
	switch {
	case errors.Is(err, event.ErrTombstone):
		r.problem = "it is a tombstone, a record without a value: the notifier passes over it, and no rule sees it"
		return nil
	case errors.As(err, &unreadable):
		r.undecodable(unreadable)
		return nil
	case err != nil:
		return base.Fail(base.ExitFailed, "the record cannot be read now: %w", err)
	}
	r.event = &ev
	if rec.Offset < 0 || rec.Time.Before(ev.Time) {
		r.now = ev.Time
	} else {
		r.now = rec.Time
	}
	samples, _ := l.RuleSamples() // 'config check' reports their faults
	list, budget := set.Explain(&ev, r.now, samples)
	if budget != nil {
		r.problem = "the rules took too many steps, so it raises nothing and is a dead letter: " + budget.Error()
	}
	r.topicRules = len(list)
	if o.rule != "" {
		list = slices.DeleteFunc(list, func(e rule.Explanation) bool { return e.Rule != o.rule })
		if len(list) == 0 {
			r.problem = fmt.Sprintf("%s is not evaluated: %s", o.rule, set.Why(o.rule, &ev, r.now))
		}
	}
	r.rules = list
	again := ev
	again.Time = r.asked
	if alerts, err := set.Match(&again, r.asked); err == nil {
		r.again = alerts
	}
	return nil
}

// report is what is known of an event.
type report struct {
	asked      time.Time     // when the command was run
	record     *event.Record // nil: there is none, see problem
	event      *event.Event  // nil: it is none, see problem
	problem    string        // why no rule sees it
	cause      outcome.Cause // why it cannot be read; empty: it can
	excerpt    []string      // the bytes where it cannot be read, and a caret
	topicRules int           // of its topic
	now        time.Time     // as of which the rules are evaluated
	rules      []rule.Explanation
	told
}
