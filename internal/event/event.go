// Package event turns the bytes of a Kafka record into an Event: what rules
// look at. It never fails on content it can tolerate; what it cannot read is a
// classified error that names the step. Start reading at Decoder.Decode.
package event

import "time"

// Record is what the decoder needs of a Kafka record. The decoder keeps
// references into Value and Headers: an Event is valid as long as they are.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       []byte // nil: no key
	Value     []byte // nil: a tombstone
	Headers   []Header
	Time      time.Time // the record's timestamp; zero: it has none
	Arrived   time.Time // when it was read; zero: now
}

// Header is one header of a record; names may repeat.
type Header struct {
	Name  string
	Value []byte
}

// Event is one decoded record.
type Event struct {
	Record Record
	// ID and Type are the first hit of the configured paths, "" when none is there.
	ID, Type string
	// Time is when the event happened: the first configured path that holds a
	// plausible time (see package instant), else the CloudEvent's, else the
	// record's timestamp, else when the record arrived.
	Time time.Time
	// Doc is the document, always an object.
	Doc Value
	// CE holds the CloudEvent attributes (id, source, type, …) as an object;
	// Missing for other events.
	CE Value
	// Repaired is the first mistake of the producer that was tolerated, such as
	// "NaN at byte 41"; empty: none.
	Repaired string
	// SchemaID is the Confluent schema id; 0 when the record has no such frame.
	SchemaID int
}
