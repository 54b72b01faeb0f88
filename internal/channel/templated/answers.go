package templated

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/channel/httpsend"
	"github.com/algotrade/notifier/internal/outcome"
)

// answers are the rules by which responses are classified.
type answers struct {
	rules   []rule  // the first that matches decides
	success []match // else any of them: delivered; none: the status decides
	// retryAfter is a JSON pointer (RFC 6901) to the seconds to wait, empty: the header
	// Retry-After.
	retryAfter string
	// header is another header than Retry-After with the seconds to wait.
	header string
	// receipt is a JSON pointer to the provider's id of the message.
	receipt string
	// owned: a 4xx with an HTML page does not come from the provider.
	owned bool
}

type rule struct {
	match match
	cause outcome.Cause
}

// match is a condition on a response. All that is set has to hold.
type match struct {
	status   []statusRange
	pointer  string // JSON pointer to a value that is neither missing nor null
	equals   string // the value at pointer, as JSON without quotes
	contains string // a part of the value at pointer; without pointer, of the body
	text     string // the whole body, without spaces around it
}

// statusRange is a range of HTTP statuses, both inclusive.
type statusRange struct{ from, to int }

var success = []statusRange{{200, 299}}

func codes(list ...int) []statusRange {
	ranges := make([]statusRange, len(list))
	for i, code := range list {
		ranges[i] = statusRange{code, code}
	}
	return ranges
}

// needsBody reports whether the condition reads the body.
func (c match) needsBody() bool { return c.pointer != "" || c.contains != "" || c.text != "" }

func (c match) hasStatus(status int) bool {
	return len(c.status) == 0 || slices.ContainsFunc(c.status, func(r statusRange) bool { return r.from <= status && status <= r.to })
}

func (c match) holds(r *httpsend.Reply, body any) bool {
	text := string(bytes.TrimSpace(r.Body))
	if !c.hasStatus(r.Status) || c.text != "" && text != c.text {
		return false
	}
	if c.pointer != "" {
		value, ok := lookup(body, c.pointer)
		if text = scalar(value); !ok || value == nil || c.equals != "" && text != c.equals {
			return false
		}
	}
	return strings.Contains(text, c.contains)
}

// parse decodes a body as JSON; nil: it is none.
func parse(body []byte) any {
	var v any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return nil
	}
	return v
}

// lookup evaluates a JSON pointer.
func lookup(v any, pointer string) (any, bool) {
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch at := v.(type) {
		case map[string]any:
			var ok bool
			if v, ok = at[token]; !ok {
				return nil, false
			}
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(at) {
				return nil, false
			}
			v = at[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// scalar returns a value as text: a string as it is, anything else as JSON.
func scalar(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// delivered reports whether a reply means success. err is the reason why its body
// cannot be read, if that decides.
func (a answers) delivered(r *httpsend.Reply, body any) (ok bool, err error) {
	for _, m := range a.success {
		switch {
		case !m.hasStatus(r.Status):
		case r.Cut != nil && m.needsBody():
			err = r.Cut
		case m.holds(r, body):
			return true, nil
		}
	}
	return false, err
}

// cause classifies a reply; ruled: one of the rules does, also where it is a success.
func (a answers) cause(r *httpsend.Reply, body any) (cause outcome.Cause, ruled bool) {
	for _, rule := range a.rules {
		if rule.match.holds(r, body) {
			return rule.cause, true
		}
	}
	cause = httpsend.CauseOf(r)
	if html := bytes.HasPrefix(bytes.TrimSpace(r.Body), []byte("<")); a.owned && html && r.Status/100 == 4 && cause != outcome.RateLimited && r.Status != http.StatusProxyAuthRequired {
		return outcome.Unknown, false
	}
	return cause, false
}

// wait returns how long the provider asks to wait; 0: it does not say.
func (a answers) wait(r *httpsend.Reply, body any) time.Duration {
	if a.header != "" {
		if d := httpsend.RetryAfter(r.Header.Get(a.header), time.Now()); d > 0 {
			return d
		}
	}
	if value, ok := lookup(body, a.retryAfter); ok && a.retryAfter != "" {
		if d := httpsend.RetryAfter(scalar(value), time.Now()); d > 0 {
			return d
		}
	}
	return r.RetryAfter
}

// classify returns the outcome of a reply; nil: delivered. detail is what is shown of
// the reply, host the provider's.
func (a answers) classify(r *httpsend.Reply, body any, host, detail string) *outcome.Error {
	cause, ruled := a.cause(r, body)
	delivered, err := a.delivered(r, body)
	switch {
	case ruled:
	case delivered:
		return nil
	case err != nil:
		return outcome.Classify(err)
	case r.Status/100 == 2:
		return &outcome.Error{
			Cause: outcome.Misconfigured, MaybeDelivered: true, Detail: detail + ": this does not say that the message was taken, and it may have been",
			Do: "check that url leads to the provider, and not to a proxy, and that success describes its answer",
		}
	case cause == outcome.Unknown:
		return outcome.Errorf(outcome.Unknown, "the response, an HTML page with status %d, does not come from %s: check for a proxy", r.Status, host)
	}
	refusal := r.Refused(cause, detail)
	refusal.RetryAfter = a.wait(r, body)
	if ruled && cause.Class().Permanence == outcome.Permanent {
		refusal.Answered, refusal.MaybeMessage = true, false
	}
	return refusal
}

// describe returns status and beginning of a reply as text.
func describe(client *httpsend.Client, host string, r *httpsend.Reply, sent []byte) string {
	text := fmt.Sprintf("%s returned %d", host, r.Status)
	if r.Status/100 == 3 {
		text += " (redirects are not followed)"
	}
	if snippet := client.Snippet(r.Body, sent); snippet != "" {
		text += ": " + snippet
	}
	return text
}
