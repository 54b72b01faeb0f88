package cli

import (
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/algotrade/notifier/internal/cli/clitest"
)

// asMain makes the test binary run as the program itself, for tests that need
// a process of its own.
const asMain = "NOTIFIER_TEST_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		Main()
	}
	time.Local = time.UTC // here, where nothing runs yet that looks at the clock
	testscript.Main(m, map[string]func(){"notifier": Main})
}

// TestScripts runs testdata/script: the command line as people use it, as far
// as it needs no broker.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		UpdateScripts:   *clitest.Update,
		Dir:             "testdata/script",
		ContinueOnError: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("KAFKA_BOOTSTRAP_SERVERS", "")
			e.Setenv("NOTIFIER_CONFIG", "")
			return nil
		},
	})
}
