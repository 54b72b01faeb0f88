package check

import (
	"crypto/tls"
	"fmt"
	"time"
)

// soonExpired is how long before its end a certificate is a warning: enough
// for people who renew by hand.
const soonExpired = 14 * 24 * time.Hour

// Certificate says until when the certificate of a server holds that was
// connected to, and verified, in this state. The end is that of the first in
// its chain that ends.
func Certificate(subject string, state tls.ConnectionState, now time.Time) Result {
	var end time.Time
	for _, chain := range state.VerifiedChains {
		first := time.Time{}
		for _, c := range chain {
			if first.IsZero() || c.NotAfter.Before(first) {
				first = c.NotAfter
			}
		}
		if first.After(end) { // the chain that holds longest is the one that counts
			end = first
		}
	}
	if end.IsZero() {
		return Skipf(subject, "%s, its certificate was not verified", tls.VersionName(state.Version))
	}
	text := fmt.Sprintf("%s, certificate until %s", tls.VersionName(state.Version), end.UTC().Format("2 Jan 2006"))
	if left := end.Sub(now); left < soonExpired {
		return Warnf(subject, "have it renewed: from then on nothing connects", "%s, in %d days", text, int(left.Hours()/24))
	}
	return Okf(subject, "%s", text)
}
