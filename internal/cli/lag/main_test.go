package lag_test

import (
	"testing"

	"github.com/algotrade/notifier/internal/cli"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
)

// command runs one command on a test's cluster.
func command(t testing.TB, c *testkafka.Cluster, args ...string) clitest.Answer {
	t.Helper()
	return clitest.Main(cli.Run).On(t, c, args...)
}
