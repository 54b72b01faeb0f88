package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/safefile"
	"github.com/algotrade/notifier/internal/yamldoc"
)

func newRules(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "rules", Short: "Check and list the rules", Args: subcommand, RunE: help}
	cmd.AddCommand(newRulesCheck(g), newRulesList(g))
	return cmd
}

func newRulesCheck(g *globals) *cobra.Command {
	return &cobra.Command{
		Use: "check [FILE]", Short: "Report everything that is wrong with a file of rules",
		Long: "Report everything that is wrong with a file of rules; without FILE, with the one that the configuration names.",
		Args: atMostOne("a file"),
		RunE: func(_ *cobra.Command, args []string) error {
			set, name, err := loadRules(g, args)
			if err != nil {
				return err
			}
			fmt.Fprintf(g.io.err, "%s is fine: %s\n", name, count(len(set.Rules()), "rule"))
			return nil
		},
	}
}

// rules compiles the file that args name, or the configured one.
func loadRules(g *globals, args []string) (*rule.Set, string, error) {
	if len(args) == 0 {
		src := g.source()
		src.Shipped = true
		l, err := g.load(src)
		if err != nil {
			return nil, "", err
		}
		name := l.Config.Rules
		if l.File == "" {
			name = "the shipped rules"
		}
		return l.Rules, name, nil
	}
	src := g.source()
	src.Shipped = true
	l, _, err := config.LoadBase(src) // for its channels; its own faults are config check's
	if err != nil {
		return nil, "", err
	}
	data, err := safefile.Read(args[0], yamldoc.MaxBytes)
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return nil, "", fmt.Errorf("cannot read %s: %w", args[0], err)
	}
	set, faults := l.CompileRules(args[0], data)
	return set, args[0], g.reportFaults(args[0], faults)
}

func newRulesList(g *globals) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the rules", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			set, _, err := loadRules(g, nil)
			if err != nil {
				return err
			}
			if g.json() {
				return listRulesJSON(g, set)
			}
			t := table{head: []string{"RULE", "TOPIC", "SEVERITY", "TO", "THROTTLE", "WHEN"}, elastic: []int{5}}
			for _, r := range set.Rules() {
				t.add(r.Name, joined(r.Topics), joined(r.Severities), strings.Join(r.Channels, " "), throttleText(r.Throttle), oneLine(r.When))
			}
			t.write(g.io.out, g.width())
			return nil
		},
	}
}

func listRulesJSON(g *globals, set *rule.Set) error {
	enc := newEncoder(g.io.out)
	enc.SetEscapeHTML(false)
	for _, r := range set.Rules() {
		err := enc.Encode(map[string]any{
			"name": r.Name, "topics": r.Topics, "severities": r.Severities, "channels": r.Channels,
			"throttle": throttleText(r.Throttle), "when": oneLine(r.When),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func throttleText(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	text := d.String()
	for _, unit := range []string{"m0s", "h0m"} { // 10m, not 10m0s; but 10s stays
		if rest, ok := strings.CutSuffix(text, unit); ok {
			text = rest + unit[:1]
		}
	}
	return text
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func joined[T ~string](list []T) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = string(v)
	}
	return strings.Join(texts, " ")
}
