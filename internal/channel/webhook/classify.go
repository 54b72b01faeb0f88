package webhook

import (
	"fmt"

	"github.com/algotrade/notifier/internal/channel/httpsend"
	"github.com/algotrade/notifier/internal/outcome"
)

// classify returns the outcome of a reply; nil: delivered.
func (t *target) classify(client *httpsend.Client, r *httpsend.Reply, sent []byte, mayBeDuplicate bool) error {
	cause := httpsend.CauseOf(r)
	switch delivery := r.Header.Get("webhook-delivery"); {
	case delivery == "disable": // Svix's header
		cause = outcome.Destination
	case delivery == "abort-message":
		cause = outcome.PayloadRefused
	case r.Status/100 == 2:
		return nil
	case r.Status == 409 && mayBeDuplicate: // the receiver has this webhook-id
		return nil
	case r.Status == 409:
		cause = outcome.PayloadRefused
	}
	err := r.Refused(cause, t.describe(client, r, sent))
	err.Do = remedies[cause]
	if r.Proxy != "" && cause == outcome.Credentials {
		err.Do += "; or have the proxy allow it (proxy: of the channel, else HTTP_PROXY), or connect directly with proxy: none or NO_PROXY"
	}
	return err
}

// describe returns status and beginning of a reply as text.
func (t *target) describe(client *httpsend.Client, r *httpsend.Reply, sent []byte) string {
	text := fmt.Sprintf("%s returned %d", t.url.Host, r.Status)
	if r.Proxy != "" {
		text += " through the proxy " + r.Proxy
	}
	if r.Status/100 == 3 {
		text += " (redirects are not followed)"
	}
	if snippet := client.Snippet(r.Body, sent); snippet != "" {
		text += ": " + snippet
	}
	return text
}

// remedies are what a person can do about permanent errors.
var remedies = map[outcome.Cause]string{
	outcome.Credentials: "check headers (Authorization) and secret against what the receiver expects",
	outcome.Destination: "correct url: the receiver does not accept POST requests there",
}
