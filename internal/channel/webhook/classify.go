package webhook

import (
	"fmt"

	"github.com/algotrade/notifier/internal/channel/httpsend"
	"github.com/algotrade/notifier/internal/outcome"
)

// causes maps HTTP statuses. The URL is configured, so its errors concern the
// channel and are permanent; errors about the body concern the message. Other
// statuses are transient.
var causes = map[int]outcome.Cause{
	400: outcome.PayloadRefused, 406: outcome.PayloadRefused, 411: outcome.PayloadRefused, 415: outcome.PayloadRefused, 422: outcome.PayloadRefused,
	413: outcome.PayloadTooLarge, 414: outcome.PayloadTooLarge, 431: outcome.PayloadTooLarge,
	401: outcome.Credentials, 403: outcome.Credentials, 407: outcome.Credentials,
	404: outcome.Destination, 405: outcome.Destination, 410: outcome.Destination, 501: outcome.Destination, 505: outcome.Destination,
	429: outcome.RateLimited,
	// The server failed after it received the complete request.
	500: outcome.MaybeProcessed, 502: outcome.MaybeProcessed, 504: outcome.MaybeProcessed,
}

// mayBeMessage are the statuses with which a firewall or a check of the signature
// refuses one body.
var mayBeMessage = map[int]bool{401: true, 403: true, 404: true, 405: true}

// classify returns the outcome of a reply; nil: delivered.
func (t *target) classify(client *httpsend.Client, r *httpsend.Reply, sent []byte, mayBeDuplicate bool) error {
	cause, known := causes[r.Status]
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
	case r.Status/100 == 3:
		cause = outcome.Destination
	case r.RetryAfter > 0 && r.Status >= 500, r.RetryAfter > 0 && !known:
		cause = outcome.RateLimited
	case !known:
		cause = outcome.Unavailable
	}
	return &outcome.Error{
		Cause: cause, Detail: t.describe(client, r, sent), Do: remedies[cause], RetryAfter: r.RetryAfter,
		MaybeMessage: mayBeMessage[r.Status] && cause != outcome.PayloadRefused,
		Answered:     r.Status < 500 && r.Status/100 != 3 && cause != outcome.Unavailable,
	}
}

// describe returns status and beginning of a reply as text.
func (t *target) describe(client *httpsend.Client, r *httpsend.Reply, sent []byte) string {
	text := fmt.Sprintf("%s returned %d", t.url.Host, r.Status)
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
