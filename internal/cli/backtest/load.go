package backtest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/safefile"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// set is one version of the rules.
type set struct {
	name  string // of its file
	rules *rule.Set
}

// load returns the configuration and the rules of the files, or the configured ones: with
// diff the old and the new ones. What secrets of channels refer to need not be there.
func load(g *base.Globals, files []string, diff bool) (*config.Loaded, []set, error) {
	src := g.Source()
	src.Shipped = true
	l, faults, err := config.LoadBase(src)
	if err != nil {
		return nil, nil, base.Fail(base.ExitConfig, "%w", err)
	}
	g.InUse, g.Redactor = l.Kafka.Group, base.NewRedactor(l)
	faults = slices.DeleteFunc(faults, func(f yamldoc.Fault) bool {
		return f.Unresolved && !strings.HasPrefix(f.Path, "kafka.") && !strings.HasPrefix(f.Path, "schema_registry.")
	})
	if err := g.ReportFaults("the configuration", faults.Errors()); err != nil {
		return nil, nil, err
	}
	var sets []set
	if len(files) == 0 || diff && len(files) == 1 {
		now, faults, err := l.Reload()
		if err == nil {
			err = g.ReportFaults("the configuration", faults.Errors())
		}
		if err != nil {
			return nil, nil, err
		}
		sets = append(sets, set{cmp.Or(l.RulesFile(), "rules.yaml (shipped)"), now.Rules})
	}
	for _, file := range files {
		data, err := safefile.Read(file, yamldoc.MaxBytes)
		if err != nil {
			return nil, nil, fmt.Errorf("cannot read %s: %w", file, safefile.Reason(err))
		}
		rules, faults := l.CompileRules(file, data)
		if err := g.ReportFaults(file, faults.Errors()); err != nil {
			return nil, nil, err
		}
		sets = append(sets, set{file, rules})
	}
	return l, sets, nil
}

func topicNames() []string {
	var names []string
	for _, t := range topics.All() {
		names = append(names, string(t))
	}
	return names
}

// chosen returns the topics to read: those that a rule is of.
func chosen(only []string, sets []set) ([]string, error) {
	for _, name := range only {
		if slices.Contains(topicNames(), name) {
			continue
		}
		if near := suggest.Closest(name, topicNames()); near != "" {
			return nil, base.Misused("--topic %q is not a source topic: did you mean %s?", name, near)
		}
		return nil, base.Misused("--topic %q is not a source topic: choose from %s", name, strings.Join(topicNames(), ", "))
	}
	var names []string
	for _, t := range topics.All() {
		read := slices.ContainsFunc(sets, func(s set) bool {
			return slices.ContainsFunc(s.rules.Rules(), func(r rule.Rule) bool { return slices.Contains(r.Topics, t) })
		})
		if read && (len(only) == 0 || slices.Contains(only, string(t))) {
			names = append(names, string(t))
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no rule is of %s", cmp.Or(strings.Join(only, ", "), "any topic"))
	}
	return names, nil
}
