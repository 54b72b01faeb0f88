package webhook

import (
	"context"

	"github.com/algotrade/notifier/internal/channel/httpsend"
	"github.com/algotrade/notifier/internal/check"
)

// Destination is where the channel posts to, without the URL's path, which may
// be secret.
func (c Config) Destination() string {
	u, err := httpsend.ParseURL(c.URL.Reveal())
	if err != nil {
		return c.URL.String()
	}
	return httpsend.Shown(u)
}

// Verify implements channel.Verifier: name, address and certificate. It makes
// no request.
func (c *Channel) Verify(ctx context.Context) []check.Result {
	target := c.targets.Current()
	found := c.client.Verify(ctx, target.url)
	if len(target.signers) == 0 {
		found = append(found, check.Okf("signature", "requests are not signed: no secret is set"))
	} else {
		found = append(found, check.Okf("signature", "requests are signed"))
	}
	return append(found, check.Skipf("receiver", "the receiver itself cannot be verified without sending an alert"))
}
