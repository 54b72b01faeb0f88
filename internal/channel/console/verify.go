package console

import (
	"context"

	"github.com/algotrade/notifier/internal/check"
)

// Destination is where the channel writes to.
func (Config) Destination() string { return "standard output" }

// Verify implements channel.Verifier.
func (*Channel) Verify(context.Context) []check.Result {
	return []check.Result{check.Okf("output", "standard output: nothing to verify")}
}
