package kafka

import "github.com/algotrade/notifier/internal/check"

// Compare is compare, for tests of configurations that only older brokers know.
func (c *Checks) Compare(s Shape, partitions int, configs map[string]string) []check.Result {
	return c.compare(s, partitions, configs)
}
