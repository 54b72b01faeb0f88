// Package outcome classifies failures: what a failure is about (Scope), whether a
// retry can help (Permanence), why, as shown to users (Reason), and exactly which
// case it was (Cause). Metric labels, headers of dead letters and command-line
// filters use it. The table in cause.go has the class of each cause.
package outcome

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Scope is what a failure is about.
type Scope string

// The scopes, from the narrowest to the widest.
const (
	Message   Scope = "message"   // this one alert or record
	Recipient Scope = "recipient" // one of several recipients of a message
	Channel   Scope = "channel"   // the provider, its credentials or its destination
	System    Scope = "system"    // Kafka itself
)

// Permanence is whether the same attempt can succeed later.
type Permanence string

// The permanences.
const (
	Permanent Permanence = "permanent" // not without a change by an operator
	Transient Permanence = "transient" // try again, with backoff
	Rate      Permanence = "rate"      // wait as asked; no attempt is counted
	Ambiguous Permanence = "ambiguous" // it may have been delivered
)

// Reason is why something failed, from a closed list: for users, metric labels and
// filters.
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

// Error is a classified failure. Detail is shown to users: it must not contain a
// secret, a full URL or a payload; a dead letter keeps at most 1 KiB of it.
type Error struct {
	Cause  Cause
	Detail string
	// Rule is the rule that a record failed in; empty: none.
	Rule string
	// RetryAfter is how long the provider asked us to wait; 0: it did not.
	RetryAfter time.Duration
	// Do is what an operator can do about it, where the channel knows more than the
	// cause does: see Remedy.
	Do string
	// Answered: the provider itself answered in its own format, which proves that it
	// is healthy even if it refused.
	Answered bool
	// MaybeDelivered: the provider may have delivered the message although the channel
	// cannot be used as it is. A cause that is ambiguous says so by itself.
	MaybeDelivered bool
	// MaybeMessage: a refusal of the channel may concern this message alone, because a
	// firewall or a signature check refuses its body. Whether other messages are
	// accepted tells.
	MaybeMessage bool
	// Err is the underlying error, if any. It is never shown.
	Err error
}

func (e *Error) Error() string {
	if e.Detail == "" {
		return string(e.Cause)
	}
	return fmt.Sprintf("%s: %s", e.Cause, e.Detail)
}

func (e *Error) Unwrap() error { return e.Err }

// Remedy returns what an operator can do about the failure; empty: wait, or unknown.
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

// Classify returns the classified form of err. A cancelled context is Abandoned; an
// unclassified error is Unknown (channel, transient), since waiting is the safe
// mistake.
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
