package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/cli/base"
)

// TestRulesForOwnEventsWorkAsDocumented writes the files of docs/rules.md and runs its
// commands.
func TestRulesForOwnEventsWorkAsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## Rules for events of your own\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := regexp.MustCompile("(?s)   ```\\w+\n(.*?)   ```\n").FindAllStringSubmatch(section, -1)
	if len(blocks) != 3 {
		t.Fatalf("the section has %d files, want 3", len(blocks))
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "samples"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"samples/fills.jsonl", "notifier.yaml", "rules.yaml"} {
		text := strings.ReplaceAll(blocks[i][1], "\n   ", "\n")[3:]
		if name == "notifier.yaml" {
			text += "channels: {desk: {console: {}}}\n"
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for args, want := range map[string]string{
		"rules check": "rules.yaml is valid: 1 rule", "rules test": "rules.yaml: 1 test, 0 failed",
		"produce trade-executions --sample fills-1 --dry-run": "1 record accepted for trade-executions",
	} {
		var out bytes.Buffer
		code := Run(t.Context(), append(strings.Fields(args), "-c", filepath.Join(dir, "notifier.yaml")), base.Streams{In: strings.NewReader(""), Out: &out, Err: &out})
		if code != base.ExitDone || !strings.Contains(out.String(), want) || strings.Contains(out.String(), "warning") {
			t.Errorf("notifier %s: exit %d, want %q:\n%s", args, code, want, out.String())
		}
	}
}

func TestAThrottleIsShownAsItIsWritten(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "–", 10 * time.Second: "10s", time.Minute: "1m", 10 * time.Minute: "10m", 30 * time.Minute: "30m",
		90 * time.Minute: "1h30m", time.Hour: "1h", 24 * time.Hour: "24h", 10*time.Hour + 10*time.Second: "10h0m10s",
	} {
		if got := throttleText(d); got != want {
			t.Errorf("%s is shown as %q, want %q", d, got, want)
		}
	}
}
