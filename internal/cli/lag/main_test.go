package lag_test

import (
	"os"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/cli"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
)

// TestMain sets the local zone, in which the command prints times.
func TestMain(m *testing.M) {
	time.Local = time.FixedZone("CET", 3600)
	os.Exit(m.Run())
}

// command runs one command on a test's cluster.
func command(t testing.TB, c *testkafka.Cluster, args ...string) clitest.Answer {
	t.Helper()
	return clitest.Main(cli.Run).On(t, c, args...)
}
