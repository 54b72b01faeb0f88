package httpsend

import (
	"net/http"

	"github.com/algotrade/notifier/internal/outcome"
)

// causes maps HTTP statuses. The URL is configured, so its errors concern the
// channel and are permanent; errors about the body concern the message.
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

// CauseOf returns the cause of a reply whose status is not 2xx, by its status and
// Retry-After alone. A status that is not known is transient.
func CauseOf(r *Reply) outcome.Cause {
	cause, known := causes[r.Status]
	switch {
	case r.Status/100 == 3:
		return outcome.Destination
	case r.RetryAfter > 0 && (r.Status >= 500 || !known):
		return outcome.RateLimited
	case !known:
		return outcome.Unavailable
	}
	return cause
}

// Refused returns the error of a reply with a cause. detail is shown to users.
func (r *Reply) Refused(cause outcome.Cause, detail string) *outcome.Error {
	return &outcome.Error{
		Cause: cause, Detail: detail, RetryAfter: r.RetryAfter,
		MaybeMessage: mayBeMessage[r.Status] && cause.Class().Scope == outcome.Channel,
		Answered:     r.Status < http.StatusInternalServerError && r.Status/100 != 3 && cause != outcome.Unavailable,
	}
}
