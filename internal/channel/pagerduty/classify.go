package pagerduty

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/algotrade/notifier/internal/channel/httpsend"
	"github.com/algotrade/notifier/internal/outcome"
)

// answer is the body of a response (developer.pagerduty.com, "Events API v2 Overview").
type answer struct {
	Status  string   `json:"status"` // success, invalid event, …
	Message string   `json:"message"`
	Errors  []string `json:"errors"`
}

// classify returns the outcome of a reply; nil: accepted.
func (c *Channel) classify(r *httpsend.Reply, sent []byte) error {
	var a answer
	ours := json.Unmarshal(r.Body, &a) == nil && a.Status != ""
	if r.Status == http.StatusAccepted && (a.Status == "success" || len(strings.TrimSpace(string(r.Body))) == 0 || r.Cut != nil) {
		return nil
	}
	cause, do := httpsend.CauseOf(r), ""
	switch {
	case r.Status/100 == 2:
		return &outcome.Error{
			Cause: outcome.Misconfigured, MaybeDelivered: true,
			Detail: fmt.Sprintf("the response with status %d is none of PagerDuty's: the event may have been accepted", r.Status),
			Do:     "check that url leads to the Events API v2, and not to a proxy",
		}
	case r.Status/100 == 4 && !ours && strings.HasPrefix(strings.TrimSpace(string(r.Body)), "<") && cause != outcome.RateLimited && r.Status != http.StatusProxyAuthRequired:
		return outcome.Errorf(outcome.Unknown, "the response, an HTML page with status %d, does not come from PagerDuty: check for a proxy", r.Status)
	case r.Status == http.StatusBadRequest && ours && aboutKey.MatchString(strings.Join(a.Errors, " ")):
		cause, do = outcome.Credentials, newKey
	case cause == outcome.Credentials && r.Status != http.StatusProxyAuthRequired:
		do = newKey
	case cause == outcome.Destination:
		do = "correct url: the Events API is at " + defaultURL
	case cause == outcome.MaybeProcessed:
		cause = outcome.Unavailable // the dedup key makes another attempt harmless
	}
	err := r.Refused(cause, c.describe(r, a, sent))
	err.Do = do
	return err
}

// aboutKey matches the errors of a routing key: "Invalid routing key", "Length of
// 'routing_key' is incorrect".
var aboutKey = regexp.MustCompile(`(?i)routing[_ ]key`)

const newKey = "copy the integration key of the service's integration Events API v2 again into routing_key"

// describe returns what a reply says as text, without parts of the request.
func (c *Channel) describe(r *httpsend.Reply, a answer, sent []byte) string {
	text := fmt.Sprintf("PagerDuty returned %d", r.Status)
	said := r.Body
	if a.Status != "" {
		said = []byte(strings.Join(append([]string{a.Status}, a.Errors...), ": "))
	}
	if snippet := c.client.Snippet(said, sent); snippet != "" {
		text += ": " + snippet
	}
	return text
}

// harmless returns the error of a request without a response, as one that another
// attempt follows: PagerDuty recognises the event by its dedup key.
func harmless(err error) error {
	e := *outcome.Classify(err)
	if e.Cause == outcome.Timeout || e.Cause == outcome.Reset {
		e.Cause = outcome.Unavailable
	}
	return &e
}
