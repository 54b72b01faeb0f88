package outcome

// Cause is the stable id of one kind of failure. Dead letters contain it, so a
// cause is never renamed.
type Cause string

// The causes of source records that cannot become an event.
const (
	Truncated        Cause = "truncated"
	TrailingBytes    Cause = "trailing-bytes"
	SeveralDocuments Cause = "several-documents" // one JSON document after another in one record
	NotJSON          Cause = "not-json"
	NotUTF8          Cause = "not-utf8"
	NotAnObject      Cause = "not-an-object"
	TooDeep          Cause = "too-deep"
	EventTooLarge    Cause = "event-too-large"
	BatchTooLarge    Cause = "batch-too-large" // the batch cannot be unpacked; one entry for all its records
	NeedsRegistry    Cause = "needs-registry"
	UnknownSchema    Cause = "unknown-schema"  // the schema registry does not have it
	SchemaInvalid    Cause = "schema-invalid"  // the schema cannot be compiled
	SchemaMismatch   Cause = "schema-mismatch" // the bytes do not fit their schema
	Pickle           Cause = "pickle"
	PythonText       Cause = "python-text" // str(…) or repr(…) of a dict or an object
	FIX              Cause = "fix-message"
	Decompress       Cause = "decompress"
	CloudEvent       Cause = "cloudevent"
	Schema           Cause = "schema" // the event violates the JSON Schema of its topic
	RulePanicked     Cause = "rule-panicked"
	RuleBudget       Cause = "rule-budget" // its rules take more steps than one event may
	AlertTooLarge    Cause = "alert-too-large"
	Crashes          Cause = "crashes" // the process died while it handled the record, twice
)

// The causes of deliveries that fail.
const (
	PayloadRefused   Cause = "payload-refused"   // the provider refuses this content
	PayloadTooLarge  Cause = "payload-too-large" // the provider refuses this size
	RenderPanicked   Cause = "render-panicked"   // our channel code panicked on this message
	RecipientRefused Cause = "recipient-refused" // this recipient does not exist or refuses it
	MailboxFull      Cause = "mailbox-full"
	Greylisted       Cause = "greylisted"
	RecipientDelayed Cause = "recipient-delayed" // the server cannot judge this recipient now
	RateLimited      Cause = "rate-limited"
	Unavailable      Cause = "unavailable" // 5xx, SMTP 4xx
	Unreachable      Cause = "unreachable" // DNS, refused, reset or time-out before the body
	TLSFailed        Cause = "tls-failed"  // a certificate that does not verify
	Credentials      Cause = "credentials" // a token, password or scope that is not accepted
	Destination      Cause = "destination" // the configured channel, URL or recipients are gone or forbidden
	Misconfigured    Cause = "misconfigured"
	Timeout          Cause = "timeout" // no answer after the body was written
	Reset            Cause = "reset"   // connection lost after the body was written
	MaybeProcessed   Cause = "maybe-processed"
	Unknown          Cause = "unknown"
	Abandoned        Cause = "abandoned" // we cancelled: not a failure, not an attempt
	WriteFailed      Cause = "write-failed"
	Unrouted         Cause = "unrouted"
)

// Class is what a cause means for the delivery.
type Class struct {
	Scope      Scope
	Permanence Permanence
	// Reason is the reason of the dead letter this cause can lead to: at once
	// when it is permanent for a message or a recipient, after the last
	// attempt otherwise.
	Reason Reason
}

var table = []struct {
	cause Cause
	class Class
}{
	{Truncated, Class{Message, Permanent, Undecodable}},
	{TrailingBytes, Class{Message, Permanent, Undecodable}},
	{SeveralDocuments, Class{Message, Permanent, Undecodable}},
	{NotJSON, Class{Message, Permanent, Undecodable}},
	{NotUTF8, Class{Message, Permanent, Undecodable}},
	{NotAnObject, Class{Message, Permanent, Undecodable}},
	{TooDeep, Class{Message, Permanent, Undecodable}},
	{EventTooLarge, Class{Message, Permanent, Undecodable}},
	{BatchTooLarge, Class{Message, Permanent, Undecodable}},
	{NeedsRegistry, Class{Message, Permanent, Undecodable}},
	{UnknownSchema, Class{Message, Permanent, Undecodable}},
	{SchemaInvalid, Class{Message, Permanent, Undecodable}},
	{SchemaMismatch, Class{Message, Permanent, Undecodable}},
	{Pickle, Class{Message, Permanent, Undecodable}},
	{PythonText, Class{Message, Permanent, Undecodable}},
	{FIX, Class{Message, Permanent, Undecodable}},
	{Decompress, Class{Message, Permanent, Undecodable}},
	{CloudEvent, Class{Message, Permanent, Undecodable}},
	{Schema, Class{Message, Permanent, Undecodable}},
	{RulePanicked, Class{Message, Permanent, RulePanic}},
	{RuleBudget, Class{Message, Permanent, OverBudget}},
	{AlertTooLarge, Class{Message, Permanent, TooLarge}},
	{Crashes, Class{Message, Permanent, RulePanic}},
	{PayloadRefused, Class{Message, Permanent, Refused}},
	{PayloadTooLarge, Class{Message, Permanent, TooLarge}},
	{RenderPanicked, Class{Message, Permanent, Refused}},
	{RecipientRefused, Class{Recipient, Permanent, BadRecipient}},
	{MailboxFull, Class{Recipient, Rate, Exhausted}},
	{Greylisted, Class{Recipient, Rate, Exhausted}},
	{RecipientDelayed, Class{Recipient, Rate, Exhausted}},
	{RateLimited, Class{Channel, Rate, Exhausted}},
	{Unavailable, Class{Channel, Transient, Exhausted}},
	{Unreachable, Class{Channel, Transient, Exhausted}},
	{TLSFailed, Class{Channel, Permanent, Exhausted}},
	{Credentials, Class{Channel, Permanent, Exhausted}},
	{Destination, Class{Channel, Permanent, Exhausted}},
	{Misconfigured, Class{Channel, Permanent, Exhausted}},
	{Timeout, Class{Channel, Ambiguous, Exhausted}},
	{Reset, Class{Channel, Ambiguous, Exhausted}},
	{MaybeProcessed, Class{Channel, Ambiguous, Exhausted}},
	{Unknown, Class{Channel, Transient, Exhausted}},
	{Abandoned, Class{Channel, Transient, Exhausted}},
	{WriteFailed, Class{System, Transient, Exhausted}},
	{Unrouted, Class{Message, Permanent, NoLongerRouted}},
}

var classes = func() map[Cause]Class {
	m := make(map[Cause]Class, len(table))
	for _, row := range table {
		m[row.cause] = row.class
	}
	return m
}()

// Causes returns every cause that this notifier writes, in the order of the
// table.
func Causes() []Cause {
	list := make([]Cause, len(table))
	for i, row := range table {
		list[i] = row.cause
	}
	return list
}

// Class looks the cause up in the table; a cause that is not in it counts as
// Unknown.
func (c Cause) Class() Class {
	if class, ok := classes[c]; ok {
		return class
	}
	return classes[Unknown]
}

// remedies are what an operator can do where retries do not help.
var remedies = map[Cause]string{
	PayloadRefused:   "look at what the provider says about the message, and report it as a defect",
	PayloadTooLarge:  "shorten the texts of the rule",
	RecipientRefused: "correct the recipient's address in the channel",
	MailboxFull:      "have the recipient's mailbox emptied",
	Greylisted:       "nothing: the server asks for a later attempt, which the daemon makes",
	RecipientDelayed: "the daemon tries again; if it lasts, check the recipient's address and its domain in DNS",
	RateLimited:      "wait, or set a slower pace for the channel",
	Unavailable:      "nothing: the provider fails; the daemon tries again",
	Unreachable:      "check the name and the port, and that a firewall lets this host connect",
	TLSFailed:        "check the certificate and its names; trust another authority with ca",
	Credentials:      "check the token or password that the configuration refers to, and its rights",
	Destination:      "correct the channel's destination",
	Misconfigured:    "correct the channel's configuration",
}
