package channeltest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/check"
)

// Verify verifies a channel and returns the results, one per line: "ok token:
// …". It fails the test if a line contains a secret or a fault has no remedy.
func Verify(t testing.TB, c channel.Channel, secrets ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var b strings.Builder
	for _, f := range c.(channel.Verifier).Verify(ctx) {
		fmt.Fprintf(&b, "%s %s: %s", f.Status, f.Subject, f.Message)
		if f.Remedy != "" {
			fmt.Fprintf(&b, " → %s", f.Remedy)
		} else if f.Status == check.Failed {
			t.Errorf("no remedy: %+v", f)
		}
		b.WriteByte('\n')
	}
	for _, s := range secrets {
		if strings.Contains(b.String(), s) {
			t.Errorf("contains the secret %q:\n%s", s, b.String())
		}
	}
	return b.String()
}

// AssertLines fails the test unless the lines of got contain the texts want, one
// each, in this order.
func AssertLines(t testing.TB, got string, want ...string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(got), "\n")
	ok := len(lines) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = strings.Contains(lines[i], want[i])
	}
	if !ok {
		t.Errorf("got\n%s\nwant lines with\n%s", got, strings.Join(want, "\n"))
	}
}
