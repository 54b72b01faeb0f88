package rule

import "github.com/algotrade/notifier/internal/outcome"

// usage is the most expensive rule on one event.
type usage struct {
	rule  string
	steps int
}

// add records the steps of one rule.
func (c *usage) add(rule string, steps int) {
	if steps > c.steps {
		c.rule, c.steps = rule, steps
	}
}

// error returns the error of an event on which all rules together take more than limit steps.
func (c *usage) error(limit int) error {
	err := outcome.Errorf(outcome.RuleBudget, "rule %s took %d of the limit of %d steps for all rules on one event", c.rule, min(c.steps, limit), limit)
	err.Rule = c.rule
	return err
}
