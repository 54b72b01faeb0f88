package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rivo/uniseg"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
)

// TestOutputFitsTerminals of 80 and 100 columns, with the names that we ship.
func TestOutputFitsTerminals(t *testing.T) {
	c := testkafka.Bare(t)
	dir := t.TempDir()
	config, long := filepath.Join(dir, "notifier.yaml"), filepath.Join(dir, strings.Repeat("of-the-desk-", 4)+".yaml")
	faulty := filepath.Join(dir, "faulty.yaml")
	for file, text := range map[string]string{
		config: fourChannels, long: fourChannels, filepath.Join(dir, "rules.yaml"): twoRules,
		faulty: twoRules + "  - {name: c, topic: trade-executions, when: event.last_qty > 1234567.25 and event.last_qty < 5, to: [dsk-slack], title: x}\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("NOTIFIER_HTTP_LISTEN", "127.0.0.1:1")
	for _, columns := range []int{80, 100} {
		for args, end := range map[string]string{
			"topics create --dry-run --brokers " + c.Brokers[0]: "nothing was created",
			"channels list -c " + config:                        "the state is unknown",
			"rules check " + faulty + " -c " + config:           "has 1 fault",
			"config show -c " + long:                            "shutdown.drain",
		} {
			terminal, out := clitest.OpenTerminal(t)
			terminal.Resize(uint16(columns), 40)
			Run(t.Context(), strings.Fields(args), base.Streams{In: strings.NewReader(""), Out: out, Err: out})
			whole := func() string { return strings.Join(strings.Fields(terminal.Screen.String()), " ") }
			testkafka.Eventually(t, 10*time.Second, args+" is shown", func() bool { return strings.Contains(whole(), end) })
			for line := range strings.Lines(strings.ReplaceAll(terminal.Screen.String(), "\r\n", "\n")) {
				path := strings.HasPrefix(line, dir) || strings.Contains(line, " /tmp") // a word that does not break
				if n := uniseg.StringWidth(strings.TrimSuffix(line, "\n")); n > columns && !path {
					t.Errorf("%s: %d columns of %d: %s", args, n, columns, line)
				}
			}
			t.Logf("%s in %d columns\n%s", args, columns, terminal.Screen)
		}
	}
}
