package registry

import (
	"context"
	"io"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/secret"
)

// Check returns a check that verifies the channel without sending. area is the
// area of its results.
func (c *Config) Check(name, area string, redactor *secret.Redactor) check.Check {
	return check.Check{Area: area, Name: "channel " + name, Run: func(ctx context.Context) []check.Result {
		ch, err := c.Build(name, Deps{Console: io.Discard, Redactor: redactor})
		if err != nil {
			return []check.Result{check.Failedf("configuration", "correct it", "%v", err)}
		}
		defer ch.(io.Closer).Close()
		return ch.(channel.Verifier).Verify(ctx)
	}}
}
