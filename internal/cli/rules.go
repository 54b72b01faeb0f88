package cli

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/backtest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/explain"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/duration"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/safefile"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/yamldoc"
)

func newRules(g *base.Globals) *cobra.Command {
	cmd := &cobra.Command{Use: "rules", Short: "Check, test, explain, backtest and list the rules", Args: base.Subcommand, RunE: base.Help}
	cmd.AddCommand(newRulesCheck(g), newRulesTest(g), explain.New(g), backtest.New(g), newRulesList(g))
	return cmd
}

func newRulesCheck(g *base.Globals) *cobra.Command {
	return &cobra.Command{
		Use: "check [FILE]", Short: "Report all faults of a rules file",
		Long:        "Report all faults of a rules file; without FILE, of the configured one.",
		Annotations: map[string]string{base.Formats: "sarif"},
		Args:        base.AtMostOne("a file"),
		RunE: func(_ *cobra.Command, args []string) error {
			set, name, faults, err := readRules(g, args)
			if err != nil {
				return err
			}
			c := base.Checked{File: name, What: name, Faults: faults}
			if len(args) == 0 {
				c.What = "the configuration"
			}
			if set != nil {
				c.Counts = plural.Count(len(set.Rules()), "rule")
			}
			return g.WriteChecked(c)
		},
	}
}

// readRules compiles the file in args, or the configured one, and returns its name and
// its faults, those of the configuration included.
func readRules(g *base.Globals, args []string) (*rule.Set, string, yamldoc.Faults, error) {
	src := g.Source()
	src.Shipped = true
	if len(args) == 0 {
		l, faults, err := config.Load(src)
		if err != nil {
			return nil, "", nil, base.Fail(base.ExitConfig, "%w", err)
		}
		g.Redactor = base.NewRedactor(l)
		name := cmp.Or(l.RulesFile(), "the shipped rules")
		return l.Rules, name, faults, nil
	}
	l, _, err := config.LoadBase(src) // for its channels; 'config check' reports its faults
	if err != nil {
		return nil, "", nil, err
	}
	data, err := safefile.Read(args[0], yamldoc.MaxBytes)
	if err != nil {
		return nil, "", nil, fmt.Errorf("cannot read %s: %w", args[0], safefile.Reason(err))
	}
	set, faults := l.CompileRules(args[0], data)
	return set, args[0], faults, nil
}

func newRulesList(g *base.Globals) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the rules", Args: base.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			set, _, faults, err := readRules(g, nil)
			if err == nil {
				err = g.ReportFaults("the configuration", faults)
			}
			if err != nil {
				return err
			}
			if g.JSON() {
				var list []any
				for _, r := range set.Rules() {
					list = append(list, map[string]any{
						"name": r.Name, "topics": r.Topics, "severities": r.Severities, "channels": r.Channels,
						"throttle": throttleText(r.Throttle), "when": oneLine(r.When), "clear": oneLine(r.Clear), "remind": throttleText(r.Remind),
					})
				}
				return base.EncodeAll(g.IO.Out, list)
			}
			const wide = 100 // columns: on narrower terminals the condition has a line of its own
			t := term.Table{Head: []string{"RULE", "TOPIC", "SEVERITY", "TO", "THROTTLE", "WHEN"}, Elastic: []int{1, 2, 3, 5}}
			if g.Width() < wide {
				t = term.Table{Head: t.Head[:5], Elastic: []int{1, 2, 3}}
			}
			for _, r := range set.Rules() {
				row := []string{r.Name, joined(r.Topics), joined(r.Severities), strings.Join(r.Channels, " "), throttleText(r.Throttle), oneLine(r.When)}
				t.Add(row[:len(t.Head)]...)
				if g.Width() < wide {
					t.Note(oneLine(r.When))
				}
				if text := episodeText(r); text != "" {
					t.Note(text)
				}
			}
			t.Write(g.IO.Out, g.Width())
			return nil
		},
	}
}

// episodeText has the rule's remind and clear; empty: its alerts have no end.
func episodeText(r rule.Rule) string {
	if r.Clear == "" {
		return ""
	}
	text := "clear " + oneLine(r.Clear)
	if r.Remind > 0 {
		text = "remind " + duration.Text(r.Remind) + " · " + text
	}
	return text
}

func throttleText(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	return duration.Text(d)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func joined[T ~string](list []T) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = string(v)
	}
	return strings.Join(texts, " ")
}
