package cli

import (
	"cmp"
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

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
	cmd.Flags().BoolVar(&f.coverage, "coverage", false, "list the branches of the rules, with how many events of the tests take each")
	return cmd
}

// suite is the tests of one rules file.
type suite struct {
	file     string // of the rules
	results  []ruletest.Result
	partly   bool // not all tests of the file ran
	rules    int  // of the file
	untested []string
	branches []rule.Branch
}

func (s suite) failed() (n int) {
	for _, r := range s.results {
		if len(r.Failures) > 0 {
			n++
		}
	}
	return n
}

// suites reads and runs the tests of the files, or of the configured rules.
func (f *testFlags) suites(g *base.Globals, files []string) ([]suite, error) {
	wanted, err := regexp.Compile(f.run)
	if err != nil {
		return nil, base.Misused("--run: %w", err)
	}
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
		set, faults := l.CompileRules(rules.name, rules.data)
		var tests []ruletest.Test
		for _, s := range sources {
			more, found := ruletest.Parse(s.name, s.data, s.name == rules.name)
			tests, faults = append(tests, more...), append(faults, found...)
		}
		if err := g.ReportFaults(cmp.Or(file, rules.name), faults.Errors()); err != nil {
			return nil, err
		}
		if len(tests) == 0 {
			return nil, fmt.Errorf("%s has no tests: write them under tests: there, or in %s", rules.name, testsBeside(rules.name))
		}
		s := suite{file: rules.name, rules: len(set.Rules())}
		env := ruletest.New(ruletest.Params{Rules: set, Events: &l.Events, Samples: samples})
		for _, t := range tests {
			if !wanted.MatchString(t.Name) {
				s.partly = true
				continue
			}
			found = true
			s.add(g, env.Run(t))
		}
		s.untested, s.branches = ruletest.Untested(set, s.results), env.Branches()
		suites = append(suites, s)
	}
	if !found {
		return nil, fmt.Errorf("no test has a name that matches %s", f.run)
	}
	return suites, nil
}

// add adds the result of a test, and warns of an event that is repaired.
func (s *suite) add(g *base.Globals, r ruletest.Result) {
	s.results = append(s.results, r)
	if r.Repaired != "" {
		place := yamldoc.NewFault(r.Pos, true, "the event is repaired: "+r.Repaired)
		fmt.Fprintln(g.IO.Err, term.Visible(g.Redactor.Redact(place.String())))
	}
}
