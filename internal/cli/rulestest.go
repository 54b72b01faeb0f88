package cli

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/ruletest"
	"github.com/algotrade/notifier/internal/safefile"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// testSuffix is the end of the name of a file with tests, beside NAME.yaml.
const testSuffix = ".test.yaml"

func newRulesTest(g *base.Globals) *cobra.Command {
	return &cobra.Command{
		Use: "test [FILE…]", Short: "Run the tests of rules; needs no broker",
		Long: "Run the tests of rules; needs no broker. Tests are written under tests: in a rules file, or in\n" +
			"NAME" + testSuffix + " beside NAME.yaml. FILE is one of these; without it, the configured rules are tested.\n" +
			"It fails if a test does.",
		Annotations: map[string]string{base.Formats: "junit"},
		RunE: func(_ *cobra.Command, args []string) error {
			suites, err := readSuites(g, args)
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
					s.write(g)
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
}

// suite is the tests of one rules file.
type suite struct {
	file     string // of the rules
	results  []ruletest.Result
	untested []string
}

func (s suite) failed() (n int) {
	for _, r := range s.results {
		if len(r.Failures) > 0 {
			n++
		}
	}
	return n
}

// readSuites reads and runs the tests of the files, or of the configured rules.
func readSuites(g *base.Globals, files []string) ([]suite, error) {
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
		s := suite{file: rules.name}
		env := ruletest.New(ruletest.Params{Rules: set, Events: &l.Events, Samples: samples})
		for _, t := range tests {
			r := env.Run(t)
			s.results = append(s.results, r)
			if r.Repaired != "" {
				place := yamldoc.NewFault(t.Pos, true, "the event is repaired: "+r.Repaired)
				fmt.Fprintln(g.IO.Err, term.Visible(g.Redactor.Redact(place.String())))
			}
		}
		s.untested = ruletest.Untested(set, s.results)
		suites = append(suites, s)
	}
	return suites, nil
}

// source is a file.
type source struct {
	name string
	data []byte
}

// testSources returns the rules of a file and where their tests are: in a rules file and
// the one beside it, or in a file that ends with testSuffix. The file "" is the shipped
// rules.
func testSources(l *config.Loaded, file string) (rules source, tests []source, err error) {
	read := func(name string) source {
		data, readErr := safefile.Read(name, yamldoc.MaxBytes)
		if readErr != nil && err == nil {
			err = fmt.Errorf("cannot read %s: %w", name, safefile.Reason(readErr))
		}
		return source{name, data}
	}
	name, isTests := strings.CutSuffix(file, testSuffix)
	name += ".yaml"
	switch {
	case file == "" || isTests && !exists(name) && l.RulesFile() == "":
		rules = source{"rules.yaml (shipped)", configs.Rules}
		tests = []source{{"rules.test.yaml (shipped)", configs.RuleTests}}
		if isTests {
			tests = []source{read(file)}
		}
	case isTests && exists(name):
		rules, tests = read(name), []source{read(file)}
	case isTests:
		rules, tests = read(l.RulesFile()), []source{read(file)}
	default:
		rules = read(file)
		tests = []source{rules}
		if beside := testsBeside(file); exists(beside) {
			tests = append(tests, read(beside))
		}
	}
	return rules, tests, err
}

// testsBeside returns the name of the file with the tests of a rules file.
func testsBeside(rules string) string {
	return strings.TrimSuffix(rules, filepath.Ext(rules)) + testSuffix
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
