// Package event decodes Kafka records into Events, which rules are evaluated on.
// Start reading at Decoder.Decode.
package event

import "time"

// Record is a Kafka record. An Event shares memory with Value and Headers.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       []byte // nil: no key
	Value     []byte // nil: a tombstone
	Headers   []Header
	Time      time.Time // the record's timestamp; zero: it has none
	Arrived   time.Time // when it was fetched; zero: now
}

// Header is one header of a record; names may repeat.
type Header struct {
	Name  string
	Value []byte
}

// Event is one decoded record.
type Event struct {
	Record Record
	// ID and Type are the first configured paths that exist, else the
	// CloudEvent's attributes, else empty.
	ID, Type string
	// Time is the first plausible time (see package instant) of the configured
	// paths, the CloudEvent, the record's timestamp and its arrival.
	Time     time.Time
	Doc      Value  // always an object
	CE       Value  // CloudEvent attributes (id, source, type, …) as an object; else Missing
	Repaired string // the first tolerated mistake, such as "NaN at byte 41"; empty: none
	// Violation is the first violation of the topic's schema; nil: none, or the topic has
	// no schema.
	Violation *Violation
	SchemaID  int // of the Confluent wire format; 0: none
}
