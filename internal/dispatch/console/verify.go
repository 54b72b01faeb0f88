package console

import (
	"context"

	"github.com/algotrade/notifier/internal/finding"
)

// Destination is where the channel writes to.
func (Config) Destination() string { return "standard output" }

// Verify implements dispatch.Verifier.
func (*Channel) Verify(context.Context) []finding.Finding {
	return []finding.Finding{finding.Okf("output", "the notifier's standard output: there is nothing to verify")}
}
