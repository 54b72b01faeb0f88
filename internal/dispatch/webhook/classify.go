package webhook

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/algotrade/notifier/internal/dispatch/posting"
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
func (c *Channel) classify(r *posting.Reply, sent []byte, again bool) error {
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
		Cause: cause, Detail: c.answer(r, sent), Do: remedies[cause], RetryAfter: r.RetryAfter,
		Answered: r.Status < 500 && r.Status/100 != 3 && cause != outcome.Unavailable,
	}
}

// answer is an answer in words.
func (c *Channel) answer(r *posting.Reply, sent []byte) string {
	text := fmt.Sprintf("%s answers %d", c.url.Host, r.Status)
	if r.Status/100 == 3 {
		text += ", a redirect, which is not followed"
	}
	if snippet := posting.Snippet(r.Body, sent, c.redact); snippet != "" {
		text += ": " + snippet
	}
	return text
}

// remedies is what a person can do where a receiver refuses us for good.
var remedies = map[outcome.Cause]string{
	outcome.Credentials: "check what the receiver wants in headers (Authorization), and secret",
	outcome.Destination: "correct url: the receiver does not take posts there",
}

// redact takes what is secret out of a text: the configured values, and the
// parts of them that a provider may repeat alone.
func (c *Channel) redact(text string) string {
	for _, part := range c.hidden {
		text = strings.ReplaceAll(text, part, "[redacted]")
	}
	return text
}

// hiddenParts returns the secrets of a configuration and their parts, the
// longest first. A part of a few characters is no secret, and taking it out
// would garble the text.
func hiddenParts(config Config, u *url.URL) []string {
	const shortest, shortestPart = 4, 8
	signing := config.Secret.Reveal()
	whole := []string{config.URL.Reveal(), u.RequestURI(), signing}
	parts := append([]string{strings.TrimPrefix(signing, signingPrefix)}, strings.Split(u.Path, "/")...) // keys stand in paths
	for _, values := range u.Query() {                                                                   // and in queries
		parts = append(parts, values...)
	}
	for _, h := range config.Headers {
		whole = append(whole, h.Reveal())
		parts = append(parts, strings.Fields(h.Reveal())...) // Bearer …
	}
	whole = slices.DeleteFunc(whole, func(s string) bool { return len(s) < shortest })
	parts = slices.DeleteFunc(parts, func(s string) bool { return len(s) < shortestPart })
	hidden := append(whole, parts...)
	slices.SortFunc(hidden, func(a, b string) int { return len(b) - len(a) })
	return hidden
}
