package cli

import (
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/backtest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/ruletest"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// testFlags are the flags of rules test.
type testFlags struct {
	run      string
	coverage bool
	update   bool
}

func newRulesTest(g *base.Globals) *cobra.Command {
	var f testFlags
	cmd := &cobra.Command{
		Use: "test [FILE…]", Short: "Run the tests of rules; needs no broker",
		Long: "Run the tests of rules; needs no broker. Tests are written under tests: in a rules file, or in\n" +
			"NAME" + testSuffix + " beside NAME.yaml. FILE is one of these; without it, the configured rules are tested.\n" +
			"It fails if a test does.",
		Annotations: map[string]string{base.Formats: "junit"},
		RunE: func(_ *cobra.Command, args []string) error {
			suites, err := f.suites(g, args)
			if err != nil {
				return err
			}
			switch g.Output {
			case "json":
				err = base.EncodeAll(g.IO.Out, suitesJSON(suites))
			case "junit":
				err = writeJUnit(g.IO.Out, suites)
			default:
				for _, s := range suites {
					s.write(g, f.coverage)
				}
			}
			if err != nil {
				return err
			}
			failed := 0
			for _, s := range suites {
				failed += s.failed()
			}
			if failed > 0 {
				return base.Fail(base.ExitFailed, "%s failed", plural.Count(failed, "test"))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&f.run, "run", "", "run only the tests whose name matches this regular expression")
	cmd.Flags().BoolVar(&f.update, "update", false, "write what came of the tests that fail into their files, as what they expect")
	cmd.Flags().BoolVar(&f.coverage, "coverage", false, "list the branches of the rules, with how many events of the tests take each")
	return cmd
}

// suite is the tests of one rules file.
type suite struct {
	file     string // of the rules
	sources  []source
	results  []ruletest.Result
	partly   bool // not all tests of the file ran
	rules    int  // of the file
	untested []string
	branches []rule.Branch
	changed  []changedFile // by --update
}

func (s *suite) failed() (n int) {
	for _, r := range s.results {
		if len(r.Failures) > 0 {
			n++
		}
	}
	return n
}

// suites reads and runs the tests of the files, or of the configured rules.
func (f *testFlags) suites(g *base.Globals, files []string) ([]suite, error) {
	src := g.Source()
	src.Shipped = true
	l, faults, err := config.LoadBase(src) // with files, 'config check' reports its faults
	if err == nil && len(files) == 0 {
		err = g.ReportFaults("the configuration", faults.Errors())
	}
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		files = []string{l.RulesFile()}
	}
	g.Redactor = base.NewRedactor(l)
	samples, _ := l.ReadSamples() // 'rules check' reports their faults
	var suites []suite
	found := false
	for _, file := range files {
		rules, sources, err := testSources(l, file)
		if err != nil {
			return nil, err
		}
		s, err := f.suite(g, l, samples, rules, sources)
		if err == nil && f.update && s.failed() > 0 {
			err = f.updateFiles(g, l, samples, rules, s)
		}
		if err != nil {
			return nil, err
		}
		s.warn(g)
		found = found || len(s.results) > 0
		suites = append(suites, *s)
	}
	if !found {
		return nil, fmt.Errorf("no test has a name that matches %s", f.run)
	}
	return suites, nil
}

// suite runs the tests of a rules file, which are in sources.
func (f *testFlags) suite(g *base.Globals, l *config.Loaded, samples []configs.Sample, rules source, sources []source) (*suite, error) {
	wanted, err := regexp.Compile(f.run)
	if err != nil {
		return nil, base.Misused("--run: %w", err)
	}
	set, faults := l.CompileRules(rules.name, rules.data)
	var tests []ruletest.Test
	for _, s := range sources {
		more, found := ruletest.Parse(s.name, s.data, s.name == rules.name)
		tests, faults = append(tests, more...), append(faults, found...)
	}
	if err := g.ReportFaults(rules.name, faults.Errors()); err != nil {
		return nil, err
	}
	if len(tests) == 0 {
		return nil, fmt.Errorf("%s has no tests: write them under tests: there, or in %s", rules.name, testsBeside(rules.name))
	}
	s := &suite{file: rules.name, sources: sources, rules: len(set.Rules())}
	env := ruletest.New(ruletest.Params{Rules: set, Events: &l.Events, Checks: l.Checks(), Samples: samples, Channels: testChannels(l)})
	for _, t := range tests {
		if !wanted.MatchString(t.Name) {
			s.partly = true
			continue
		}
		s.results = append(s.results, env.Run(t))
	}
	s.untested, s.branches = ruletest.Untested(set, s.results), env.Branches()
	return s, nil
}

// testChannels returns how the configured channels send.
func testChannels(l *config.Loaded) map[string]backtest.Channel {
	channels := make(map[string]backtest.Channel)
	for _, name := range l.Channels.Names() {
		c := l.Channels.Get(name)
		channels[name] = backtest.Channel{Config: c.Dispatch, Edits: c.Edits()}
	}
	return channels
}

// warn warns of the events that are repaired.
func (s *suite) warn(g *base.Globals) {
	for _, r := range s.results {
		if r.Repaired != "" {
			place := yamldoc.NewFault(r.Pos, true, "the event is repaired: "+r.Repaired)
			fmt.Fprintln(g.IO.Err, term.Visible(g.Redactor.Redact(place.String())))
		}
	}
}
