package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/safefile"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// testSuffix is the end of the name of a file with tests, beside NAME.yaml.
const testSuffix = ".test.yaml"

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
