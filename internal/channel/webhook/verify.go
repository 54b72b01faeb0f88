package webhook

import (
	"context"
	"fmt"

	"github.com/algotrade/notifier/internal/check"
)

// Destination is where the channel sends to, as far as it may be shown: the
// rest of the URL may be a key.
func (c Config) Destination() string {
	u, err := checkURL(c.URL.Reveal())
	if err != nil {
		return c.URL.String()
	}
	return fmt.Sprintf("%s://%s/…", u.Scheme, u.Host)
}

// Verify implements channel.Verifier: name, address and certificate. Nothing
// is requested.
func (c *Channel) Verify(ctx context.Context) []check.Result {
	access := c.accesses.get()
	found := c.client.Verify(ctx, access.url)
	if access.signer == nil {
		found = append(found, check.Okf("signature", "posts are not signed: no secret is set"))
	} else {
		found = append(found, check.Okf("signature", "the secret signs"))
	}
	return append(found, check.Skipf("receiver", "whether it takes alerts is only known by sending one"))
}
