package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/cli/base"
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
		"topics list":                                 base.ExitDone,
		"config check -c good.yaml":                   base.ExitDone,
		"run -c good.yaml" + nobody:                   kafka.ExitUnavailable,
		"topics check -c good.yaml" + nobody:          base.ExitFailed,
		"topics create" + nobody:                      base.ExitFailed,
		"produce trade-executions" + nobody:           base.ExitFailed,
		"dlq list" + nobody:                           base.ExitFailed,
		"dlq show re_x" + nobody:                      base.ExitFailed,
		"run -c bad.yaml":                             base.ExitConfig,
		"run -c nothing.yaml":                         base.ExitConfig,
		"dev -c bad.yaml":                             base.ExitConfig,
		"config check -c bad.yaml":                    base.ExitFailed,
		"config show -c bad.yaml":                     base.ExitFailed,
		"config check -c nothing.yaml":                base.ExitFailed,
		"rules check -c bad.yaml":                     base.ExitFailed,
		"rules list -c bad.yaml":                      base.ExitFailed,
		"rules test":                                  base.ExitDone,
		"rules test -c bad.yaml":                      base.ExitFailed,
		"rules test nothing.yaml":                     base.ExitFailed,
		"rules test -o yaml":                          base.ExitMisused,
		"topics list -c bad.yaml":                     base.ExitFailed,
		"topics check -c nothing.yaml":                base.ExitFailed,
		"dlq list -c bad.yaml":                        base.ExitFailed,
		"produce trade-executions -c nothing.yaml":    base.ExitFailed,
		"produce orders":                              base.ExitMisused,
		"run --nothing":                               base.ExitMisused,
		"nothing":                                     base.ExitMisused,
		"run -o yaml":                                 base.ExitMisused,
		"produce trade-executions --sample nothing.x": base.ExitMisused,
	} {
		var out, words bytes.Buffer
		if got := Run(t.Context(), strings.Fields(args), base.Streams{In: strings.NewReader(""), Out: &out, Err: &words}); got != want {
			t.Errorf("notifier %s: exit %d, want %d\n%s", args, got, want, words.String())
		}
	}
}

func TestUnreadableFlagValuesSayWhatIsExpected(t *testing.T) {
	for args, want := range map[string]string{
		"dlq replay --canary x":                  `--canary "x": write a whole number such as 5`,
		"dlq list --limit 1.5":                   `--limit "1.5": write a whole number such as 5`,
		"produce trade-executions --count many":  `--count "many": write a whole number such as 5`,
		"produce trade-executions --rate 5/s":    `--rate "5/s": write a number such as 0.5`,
		"produce trade-executions --raw=maybe":   `--raw "maybe": write true or false`,
		"topics create --partitions six":         `--partitions "six": write a whole number such as 5`,
		"topics create --partitions 99999999999": `--partitions "99999999999" is out of range: write a whole number such as 5`,
		"topics create --replication 1e3":        `--replication "1e3": write a whole number such as 5`,
		"lag --watch --interval 5":               `--interval "5": write a duration such as 30s, 5m or 1h`,
		"dlq replay --rate fast -m x":            `--rate`,
	} {
		var out, words bytes.Buffer
		code := Run(t.Context(), strings.Fields(args), base.Streams{In: strings.NewReader(""), Out: &out, Err: &words})
		if text := words.String(); code != base.ExitMisused || !strings.Contains(text, want) || strings.Contains(text, "strconv") {
			t.Errorf("notifier %s: exit %d, want %q:\n%s", args, code, want, text)
		}
	}
}
