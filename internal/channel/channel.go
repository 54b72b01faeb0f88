// Package channel defines what delivers alerts: Channel, the Message it sends
// and the Receipt it returns.
package channel

import (
	"context"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/check"
)

// Channel sends messages to one destination. It may also implement io.Closer
// and Verifier.
//
// Send makes one attempt and returns when the provider has answered or ctx
// ends. Retries and rate limits are the dispatcher's part. Send is called
// concurrently. A failure is an *outcome.Error; any other error counts as
// channel/transient. A nil error means that the provider accepted the message
// for at least one recipient.
type Channel interface {
	Send(ctx context.Context, m Message) (Receipt, error)
}

// Verifier is a channel that can check its settings and its destination (name,
// certificate, credentials, recipient) without any effect there. Verify returns
// before ctx ends, with the results so far.
type Verifier interface {
	Verify(ctx context.Context) []check.Result
}

// Message is one delivery, ready to be rendered.
type Message struct {
	// Delivery is the delivery's id, the same on every attempt, also after a
	// crash. Providers can recognise duplicates by it.
	Delivery string
	Alert    alert.Alert
	// Event is the source record's value, unchanged; nil when it had none.
	Event []byte
	// Recipients narrows the message to some of the configured recipients;
	// nil means all of them.
	Recipients []string
	// Delivered are recipients that have the message already, from before it became
	// a dead letter. It is not sent to them again.
	Delivered []string
	// Now is when this attempt started.
	Now time.Time
	// MayBeDuplicate is true when an earlier attempt had an ambiguous outcome, or a former
	// owner may have made one.
	MayBeDuplicate bool
	// Suppressed is how many alerts of this rule and key were throttled since
	// the last message, the first of them at SuppressedSince.
	Suppressed      int
	SuppressedSince time.Time
	// Replay counts the replays of a dead letter, this one included; 0 for
	// other messages.
	Replay int
	// Resent marks a message that a person had sent again after it was settled, which the
	// text must say; Replay is 0.
	Resent bool
	// Since is when what the alert is about began, for a reminder and for a resolved
	// alert; zero: not known.
	Since time.Time
	// Raised marks a message about an alert that is more severe than all that was told
	// since Opened.
	Raised bool
	// Reminder marks a message that repeats an alert which was told and is not resolved.
	Reminder bool
	// Opened is the receipt's ID of the first message about what the alert is about, on
	// this channel; empty: this is the first one, or it is not known.
	Opened string
	// Instead is set where the message was meant for another channel, which cannot send.
	Instead *Instead
	// Digest is set where the message speaks for several alerts; Alert is the most
	// severe of them, the newest of these.
	Digest *Digest
	// Test marks a test message, sent by a person, which the text must say.
	Test bool
	// Zone is the zone of the times in texts, where a reader's own is not known; nil: UTC.
	Zone *time.Location
}

// Digest is what one message says of the alerts that a channel gathered.
type Digest struct {
	// Group is what the alerts have in common, its parts in order; nil where there
	// are several groups.
	Group []string
	// Groups is how many groups the alerts belong to, at least 1.
	Groups int
	// Alerts is how many alerts there were since First, at least 2: those of earlier
	// messages about the group too. New is how many of them are told here first.
	Alerts, New int
	// First and Last are the earliest and the latest of their event times.
	First, Last time.Time
	// Items are some of the new alerts, the most severe first, then the newest first;
	// none where an earlier attempt with them was refused.
	Items []alert.Alert
	// Edit is the receipt's ID of an earlier message that this one replaces, on a
	// channel that can edit its messages; empty: a new message.
	Edit string
}

// Instead is the channel that a message was meant for.
type Instead struct {
	Channel string
	Cause   string // why it cannot send, such as "suspended: invalid_auth"
}

// LateAfter is the delay from which a message is marked as late.
const LateAfter = time.Minute

// Late returns the delay between the event and this attempt, and whether it is
// LateAfter or more. A digest is not late: it says when its alerts were. Nor is a
// reminder, whose event was told before.
func (m Message) Late() (time.Duration, bool) {
	if m.Digest != nil || m.Reminder {
		return 0, false
	}
	d := m.Now.Sub(m.Alert.EventTime)
	return d, d >= LateAfter
}

// Receipt is the provider's acknowledgement.
type Receipt struct {
	// ID is the provider's id of the message, such as Slack's ts or the
	// Message-ID; may be empty.
	ID string
	// Answer is the rest of the provider's reply, shown by `channels test`;
	// without secrets, may be empty.
	Answer string
	// Accepted are the recipients that have the message now; nil on a channel with a
	// single destination.
	Accepted []string
	// Refused are recipients that refused for good while others accepted.
	Refused []Refusal
	// Deferred are recipients to retry alone, after RetryAfter.
	Deferred []Refusal
	// Lacking are, beside an error, the recipients that the attempt was for; nil on a
	// channel with a single destination.
	Lacking []string
}

// Refusal is one recipient's failure in a message that others accepted.
type Refusal struct {
	Recipient string
	Err       error // an *outcome.Error
}
