//go:build real

package cli

import (
	"os/exec"
	"strings"
	"testing"
)

// TestPromtoolAcceptsMetrics: what a daemon exposes is what Prometheus' own
// tool takes for well made. scripts/prometheus.sh installs it.
func TestPromtoolAcceptsMetrics(t *testing.T) {
	cmd := exec.Command("promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader(exposition(t))
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}
