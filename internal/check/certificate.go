package check

import (
	"crypto/tls"
	"fmt"
	"time"
)

// soonExpired is how long before its expiry a certificate is a warning.
const soonExpired = 14 * 24 * time.Hour

// Certificate checks the expiry of a server's verified certificate: that of the first
// certificate to expire in the chain that is valid longest.
func Certificate(subject string, state tls.ConnectionState, now time.Time) Result {
	var end time.Time
	for _, chain := range state.VerifiedChains {
		first := time.Time{}
		for _, c := range chain {
			if first.IsZero() || c.NotAfter.Before(first) {
				first = c.NotAfter
			}
		}
		if first.After(end) {
			end = first
		}
	}
	if end.IsZero() {
		return Skipf(subject, "%s, its certificate was not verified", tls.VersionName(state.Version))
	}
	text := fmt.Sprintf("%s, certificate until %s", tls.VersionName(state.Version), end.UTC().Format("2 Jan 2006"))
	if left := end.Sub(now); left < soonExpired {
		return Warnf(subject, "renew it: expired, it prevents connections", "%s, in %d days", text, int(left.Hours()/24))
	}
	return Okf(subject, "%s", text)
}
