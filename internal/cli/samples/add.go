// Package samples has the commands for sample events.
package samples

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/record"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/lookalike"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/term"
)

// New returns the command samples.
func New(g *base.Globals) *cobra.Command {
	cmd := &cobra.Command{Use: "samples", Short: "Keep events as samples for rules", Args: base.Subcommand, RunE: base.Help}
	cmd.AddCommand(newAdd(g))
	return cmd
}

type adding struct {
	base.Consent
	g          *base.Globals
	name, file string
	keep       []string
}

func newAdd(g *base.Globals) *cobra.Command {
	a := &adding{g: g}
	cmd := &cobra.Command{
		Use:   "add TOPIC/PARTITION@OFFSET",
		Short: "Keep an event as a sample, with look-alikes for its values",
		Long: "Keep an event as a sample: the record is read as the daemon reads it, and its values are replaced by\n" +
			"look-alikes of the same type and length, if possible so that the same rules match. Event types, texts\n" +
			"that samples or rules have, zeros, booleans and null stay, and so does what --keep names; all of it is\n" +
			"listed. Times keep their distances. The sample is printed, and written to the samples of the topic.",
		Args: base.OneArg("TOPIC/PARTITION@OFFSET"),
		RunE: func(cmd *cobra.Command, args []string) error {
			place, err := record.Parse(args[0])
			if err != nil {
				return err
			}
			return a.run(cmd.Context(), place)
		},
	}
	a.Flags(cmd)
	cmd.Flags().StringVar(&a.name, "name", "", "name of the sample (default: the event type)")
	cmd.Flags().StringVar(&a.file, "file", "", "new `FILE.json`, or FILE.jsonl to append to (default: where the topic's samples are)")
	cmd.Flags().StringSliceVar(&a.keep, "keep", nil, "keep the value at a `PATH` such as legs.symbol; repeatable")
	base.Complete(cmd, "name", base.NoWords)
	base.Complete(cmd, "keep", base.NoWords)
	return cmd
}

func (a *adding) run(ctx context.Context, place record.Place) error {
	if err := a.Possible(a.g); err != nil {
		return err
	}
	src := a.g.Source()
	src.Shipped = true
	l, faults, err := config.Load(src)
	if err != nil {
		return base.Fail(base.ExitConfig, "%w", err)
	}
	a.g.Redactor = base.NewRedactor(l)
	if err := a.g.ReportFaults("the configuration", faults.Errors()); err != nil { // warnings are those of 'rules check'
		return err
	}
	ev, err := a.read(ctx, l, place)
	if err != nil {
		return err
	}
	known, err := vocabulary(l, place.Topic)
	if err != nil {
		return err
	}
	was := raised(l, ev)
	result, err := lookalike.Replace(ev, lookalike.Options{
		Keep: a.keep, Known: known.has(l.Events.Topics[string(place.Topic)].Type), Seed: ev.Record.Value,
		Prefer: func(doc event.Value) bool {
			e, err := decode(l, event.Record{Topic: string(place.Topic), Value: lookalike.JSON(doc)})
			return err == nil && slices.Equal(was, raised(l, e))
		},
	})
	if err != nil {
		return base.Misused("%w: use --keep with a path of the event", err)
	}
	data := lookalike.JSON(result.Doc)
	sample, err := decode(l, event.Record{Topic: string(place.Topic), Value: data})
	if err != nil {
		return fmt.Errorf("the sample could not be read again: %w; keep its time and type with --keep", err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, data, "", "  "); err != nil {
		return err
	}
	pretty.WriteByte('\n')
	to, err := a.target(l, place.Topic, sample.Type)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprint(a.g.IO.Out, term.VisibleLines(pretty.String())); err != nil {
		return err
	}
	a.tell(ev, result, was, raised(l, sample))
	if ok, err := a.Ask(ctx, a.g, "write the sample to "+term.Visible(to.file)); !ok {
		return err
	}
	if err := to.write(pretty.Bytes(), data); err != nil {
		return err
	}
	fmt.Fprintf(a.g.IO.Err, "%s has the sample %s\n", term.Visible(to.file), term.Visible(to.name))
	if to.setting != "" {
		fmt.Fprintln(a.g.IO.Err, strings.Replace(to.setting, "%s", term.Visible(cmp.Or(l.File, "notifier.yaml")), 1))
	}
	return nil
}

// read returns the event of a record.
func (a *adding) read(ctx context.Context, l *config.Loaded, place record.Place) (*event.Event, error) {
	cl, err := a.g.Reach(ctx, &l.Kafka, "samples", record.Options()...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	r, err := record.Find(ctx, cl, place)
	if err != nil {
		return nil, err
	}
	if len(r.Value) == 0 {
		return nil, fmt.Errorf("%s is a record without a value, and no event", place)
	}
	ev, err := decode(l, record.Event(r))
	if err != nil {
		return nil, fmt.Errorf("%s is not an event: %w", place, err)
	}
	return ev, nil
}

func decode(l *config.Loaded, r event.Record) (*event.Event, error) {
	ev, err := event.NewDecoder(&l.Events, nil, nil).Decode(r)
	return &ev, err
}

// tell says what was replaced, what was kept, and whether the sample raises what the event
// does.
func (a *adding) tell(ev *event.Event, r *lookalike.Result, was, is []string) {
	text := plural.Count(r.Replaced, "value") + " replaced"
	if r.Shifted > 0 {
		text += ", of them " + plural.Count(r.Shifted, "time")
	}
	fmt.Fprintf(a.g.IO.Err, "\n%s; booleans, null and names of members stay, and:\n", text)
	byPath := make(map[string][]string)
	var paths []string
	for _, k := range r.Kept {
		if byPath[k.Path] == nil {
			paths = append(paths, k.Path)
		}
		byPath[k.Path] = append(byPath[k.Path], term.Cut(k.Value, 60))
	}
	t := term.Table{Head: []string{"PATH", "KEPT AS IT IS"}, Elastic: []int{1}}
	for _, path := range paths {
		t.Add(path, strings.Join(byPath[path], ", "))
	}
	t.Write(a.g.IO.Err, a.g.Width())
	if ev.CE.Kind() != event.Missing {
		fmt.Fprintln(a.g.IO.Err, "\nthe attributes of the CloudEvent are left out: the sample is its data")
	}
	switch {
	case slices.Equal(was, is):
		fmt.Fprintf(a.g.IO.Err, "\nrules: %s, as the event\n", cmp.Or(strings.Join(is, ", "), "none matches"))
	default:
		fmt.Fprintf(a.g.IO.Err, "\nrules: %s; of the event: %s. Use --keep for what they compare.\n",
			cmp.Or(strings.Join(is, ", "), "none"), cmp.Or(strings.Join(was, ", "), "none"))
	}
}

// raised returns the names of the rules of which an event raises an alert, or ends one.
func raised(l *config.Loaded, ev *event.Event) []string {
	alerts, err := l.Rules.Match(ev, ev.Time)
	if err != nil {
		return []string{err.Error()}
	}
	var names []string
	for _, a := range alerts {
		name := a.Rule
		if a.State == alert.Resolved {
			name += " (resolved)"
		}
		names = append(names, name)
	}
	return names
}
