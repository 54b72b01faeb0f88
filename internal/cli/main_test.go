package cli

import (
	"testing"

	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
)

// command runs one command on a test's cluster.
func command(t testing.TB, c *testkafka.Cluster, args ...string) clitest.Answer {
	t.Helper()
	return clitest.Main(Run).On(t, c, args...)
}

// local runs a command that needs no broker.
func local(t *testing.T, args ...string) clitest.Answer {
	t.Helper()
	return clitest.Main(Run).Local(t, args...)
}
