package registry

import (
	"context"
	"io"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/secret"
)

// Check returns the check of the channel of this name, which sends nothing.
// area is where its results belong.
func (c *Config) Check(name, area string, redactor *secret.Redactor) check.Check {
	return check.Check{Area: area, Name: "channel " + name, Look: func(ctx context.Context) []check.Result {
		ch, err := c.Build(name, With{Console: io.Discard, Redactor: redactor})
		if err != nil {
			return []check.Result{check.Failedf("configuration", "correct it", "%v", err)}
		}
		if closer, ok := ch.(io.Closer); ok {
			defer closer.Close()
		}
		v, ok := ch.(channel.Verifier)
		if !ok {
			return []check.Result{check.Skipf("channel", "its kind cannot be looked at without sending")}
		}
		return v.Verify(ctx)
	}}
}
