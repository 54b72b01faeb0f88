// Package outcome is the one vocabulary for what went wrong: whom a failure
// concerns (Scope), whether waiting can help (Permanence), why in people's
// words (Reason) and exactly which case it was (Cause). Metric labels, dead
// letter headers and command-line filters all draw on it.
//
// The table in cause.go decides; everything else looks a cause up there.
package outcome

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Scope says what a failure is about.
type Scope string

// The scopes, from the narrowest to the widest.
const (
	Message   Scope = "message"   // this one alert or record
	Recipient Scope = "recipient" // one of several addressees of a message
	Channel   Scope = "channel"   // the provider, its credentials or its destination
	System    Scope = "system"    // Kafka itself
)

// Permanence says whether the same attempt can succeed later.
type Permanence string

// The permanences.
const (
	Permanent Permanence = "permanent" // not without a person
	Transient Permanence = "transient" // try again, with backoff
	Rate      Permanence = "rate"      // wait as told; no attempt is counted
	Ambiguous Permanence = "ambiguous" // it may have been delivered
)

// Reason is the closed list for people, metric labels and filters.
type Reason string

// The reasons.
const (
	Undecodable    Reason = "undecodable"
	RulePanic      Reason = "rule-panic"
	OverBudget     Reason = "rule-budget"
	Refused        Reason = "refused"
	BadRecipient   Reason = "recipient"
	Exhausted      Reason = "exhausted"
	Unconfirmed    Reason = "ambiguous"
	TooLarge       Reason = "too-large"
	NoLongerRouted Reason = "no-longer-routed"
)

// Reasons returns every reason, in the order above.
func Reasons() []Reason {
	return []Reason{Undecodable, RulePanic, OverBudget, Refused, BadRecipient, Exhausted, Unconfirmed, TooLarge, NoLongerRouted}
}

// Error is a classified failure. Detail is what a person is shown: it must
// hold no secret, no full URL and no payload; it is at most 1 KiB when it
// reaches a dead letter.
type Error struct {
	Cause  Cause
	Detail string
	// Rule is the rule that a record failed in; empty: none.
	Rule string
	// RetryAfter is how long the provider asked us to wait; zero when it did not say.
	RetryAfter time.Duration
	// Do is what a person can do about it, where the channel knows better than
	// its cause does: see Remedy.
	Do string
	// Answered is true when the provider itself answered in its own format,
	// which proves that it is healthy even when it refused.
	Answered bool
	// Err is the underlying error, if any. It is not shown to anyone.
	Err error
}

func (e *Error) Error() string {
	if e.Detail == "" {
		return string(e.Cause)
	}
	return fmt.Sprintf("%s: %s", e.Cause, e.Detail)
}

func (e *Error) Unwrap() error { return e.Err }

// Remedy is what a person can do about the failure; empty where waiting
// helps, or where nothing can be said.
func (e *Error) Remedy() string {
	if e.Do != "" {
		return e.Do
	}
	return remedies[e.Cause]
}

// Errorf returns an Error of cause c whose detail is the formatted text.
func Errorf(c Cause, format string, args ...any) *Error {
	return &Error{Cause: c, Detail: fmt.Sprintf(format, args...)}
}

// Classify turns any error into a classified one. A cancelled context is
// Abandoned; an error nobody classified is Unknown (channel, transient): the
// safe mistake is to wait.
func Classify(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.Canceled):
		return &Error{Cause: Abandoned, Err: err}
	default:
		return &Error{Cause: Unknown, Detail: fmt.Sprintf("%T", err), Err: err}
	}
}
