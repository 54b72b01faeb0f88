package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/kafka"
)

// TestExitCodes holds the contract with scripts and with the systemd unit: the
// codes of sysexits.h are the daemon's alone, a command has failed or not.
func TestExitCodes(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"good.yaml":  "rules: rules.yaml\nchannels: {desk: {console: {}}}\n",
		"bad.yaml":   "kafka: {gruop: x}\n",
		"rules.yaml": "version: 1\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const nobody = " --brokers 127.0.0.1:1"
	for args, want := range map[string]int{
		"topics list":                                 exitDone,
		"config check -c good.yaml":                   exitDone,
		"run -c good.yaml" + nobody:                   kafka.ExitUnavailable,
		"topics check -c good.yaml" + nobody:          exitFailed,
		"topics create" + nobody:                      exitFailed,
		"produce trade-executions" + nobody:           exitFailed,
		"dlq list" + nobody:                           exitFailed,
		"dlq show re_x" + nobody:                      exitFailed,
		"run -c bad.yaml":                             exitConfig,
		"run -c nothing.yaml":                         exitConfig,
		"dev -c bad.yaml":                             exitConfig,
		"config check -c bad.yaml":                    exitFailed,
		"config show -c bad.yaml":                     exitFailed,
		"config check -c nothing.yaml":                exitFailed,
		"rules check -c bad.yaml":                     exitFailed,
		"rules list -c bad.yaml":                      exitFailed,
		"topics list -c bad.yaml":                     exitFailed,
		"topics check -c nothing.yaml":                exitFailed,
		"dlq list -c bad.yaml":                        exitFailed,
		"produce trade-executions -c nothing.yaml":    exitFailed,
		"produce orders":                              exitMisused,
		"run --nothing":                               exitMisused,
		"nothing":                                     exitMisused,
		"run -o yaml":                                 exitMisused,
		"produce trade-executions --sample nothing.x": exitMisused,
	} {
		var out, words bytes.Buffer
		if got := run(t.Context(), strings.Fields(args), stdio{in: strings.NewReader(""), out: &out, err: &words}); got != want {
			t.Errorf("notifier %s: exit %d, want %d\n%s", args, got, want, words.String())
		}
	}
}
