package channel

import (
	"context"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/check"
)

// Channel sends messages to one destination. Implementations live in packages
// below this one.
//
// Send makes one attempt and returns when the provider has answered or ctx
// ends; it never retries, paces or waits, which is the dispatcher's part. It is
// called from several goroutines at once. A failure is an *outcome.Error; any
// other error counts as channel/transient. A nil error means that the provider
// took the message, for at least one recipient.
//
// A channel may also implement io.Closer and Verifier.
type Channel interface {
	Send(ctx context.Context, m Message) (Receipt, error)
}

// Verifier is a channel that can look at its settings and its destination
// without sending anything, and without any other effect there: what it can
// know of name, certificate, credentials and addressee. It returns before ctx
// ends, with what it has found by then.
type Verifier interface {
	Verify(ctx context.Context) []check.Result
}

// Message is one delivery, ready to be rendered.
type Message struct {
	// Delivery is the delivery's id. It is the same on every attempt, also
	// after a crash: providers that can use it to recognise a repeat get it.
	Delivery string
	Alert    alert.Alert
	// Event is the source's value as it came; nil when the source had none.
	Event []byte
	// Recipients narrows the message to some of the configured recipients;
	// nil means all of them.
	Recipients []string
	// Now is when this attempt was started. It is compared with the alert's
	// event time to say how late the message is.
	Now time.Time
	// MayBeRepeat is true when an earlier attempt had no clear outcome.
	MayBeRepeat bool
	// Suppressed is how many alerts of this rule and key were throttled since
	// the last message, the first of them at SuppressedSince.
	Suppressed      int
	SuppressedSince time.Time
	// Replay is the number of this replay, where a dead letter is sent again;
	// 0: it is none.
	Replay int
	// Test is true when a person tries the channel: nothing has happened, and its
	// reader is told so.
	Test bool
}

// LateAfter is the delay from which a message says that it is late.
const LateAfter = time.Minute

// Late returns how long after its event the message is sent, and whether that
// is long enough to be said.
func (m Message) Late() (time.Duration, bool) {
	d := m.Now.Sub(m.Alert.EventTime)
	return d, d >= LateAfter
}

// Receipt is the provider's acknowledgement.
type Receipt struct {
	// ID is what the provider calls the message: Slack's ts, a Message-ID; may be empty.
	ID string
	// Answer is what else the provider said, for a person who tries the channel;
	// no secret, may be empty.
	Answer string
	// Refused are the recipients that will never take it, while others did.
	Refused []Refusal
	// Deferred are the recipients to be tried again alone, after RetryAfter.
	Deferred []Refusal
}

// Refusal is one recipient's failure inside a message that others accepted.
type Refusal struct {
	Recipient string
	Err       error // an *outcome.Error
}
