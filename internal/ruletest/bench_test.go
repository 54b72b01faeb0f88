package ruletest_test

import (
	"testing"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/ruletest"
)

// BenchmarkShippedTests runs all tests of the shipped rules.
func BenchmarkShippedTests(b *testing.B) {
	for b.Loop() {
		set, faults := rule.Compile("rules.yaml", configs.Rules, rule.Environment{})
		tests, more := ruletest.Parse("rules.test.yaml", configs.RuleTests, false)
		if len(faults)+len(more) > 0 {
			b.Fatal(faults, more)
		}
		env := ruletest.New(ruletest.Params{Rules: set, Samples: configs.Samples()})
		for _, test := range tests {
			if r := env.Run(test); len(r.Failures) > 0 {
				b.Fatal(r.Failures)
			}
		}
	}
}
