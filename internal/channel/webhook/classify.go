package webhook

import (
	"fmt"

	"github.com/algotrade/notifier/internal/channel/httpsend"
	"github.com/algotrade/notifier/internal/outcome"
)

// answers is what a status means. The URL is configured, so what is wrong with
// it is the channel's fault and holds; what is wrong with this body is the
// message's. What stands nowhere is waited out.
var answers = map[int]outcome.Cause{
	400: outcome.PayloadRefused, 406: outcome.PayloadRefused, 411: outcome.PayloadRefused, 415: outcome.PayloadRefused, 422: outcome.PayloadRefused,
	413: outcome.PayloadTooLarge, 414: outcome.PayloadTooLarge, 431: outcome.PayloadTooLarge,
	401: outcome.Credentials, 403: outcome.Credentials, 407: outcome.Credentials,
	404: outcome.Destination, 405: outcome.Destination, 410: outcome.Destination, 501: outcome.Destination, 505: outcome.Destination,
	429: outcome.RateLimited,
	// The server failed while it had the whole request.
	500: outcome.MaybeProcessed, 502: outcome.MaybeProcessed, 504: outcome.MaybeProcessed,
}

// classify says what an answer means; nil: delivered.
func (a *access) classify(client *httpsend.Client, r *httpsend.Reply, sent []byte, again bool) error {
	cause, known := answers[r.Status]
	switch delivery := r.Header.Get("webhook-delivery"); {
	case delivery == "disable": // the receiver's wish, as Svix has it
		cause = outcome.Destination
	case delivery == "abort-message":
		cause = outcome.PayloadRefused
	case r.Status/100 == 2:
		return nil
	case r.Status == 409 && again: // it knows the webhook-id already
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
		Cause: cause, Detail: a.answer(client, r, sent), Do: remedies[cause], RetryAfter: r.RetryAfter,
		Answered: r.Status < 500 && r.Status/100 != 3 && cause != outcome.Unavailable,
	}
}

// answer is an answer in words.
func (a *access) answer(client *httpsend.Client, r *httpsend.Reply, sent []byte) string {
	text := fmt.Sprintf("%s answers %d", a.url.Host, r.Status)
	if r.Status/100 == 3 {
		text += ", a redirect, which is not followed"
	}
	if snippet := client.Snippet(r.Body, sent); snippet != "" {
		text += ": " + snippet
	}
	return text
}

// remedies is what a person can do where a receiver refuses us for good.
var remedies = map[outcome.Cause]string{
	outcome.Credentials: "check what the receiver wants in headers (Authorization), and secret",
	outcome.Destination: "correct url: the receiver does not take posts there",
}
