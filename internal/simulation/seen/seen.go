// Package seen says what the records of our own topics mean in a history, so
// that every simulation reads them alike. Start reading at Queued.
package seen

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/simulation/oracle"
)

// Queued reads a record of an outbox. Of what is returned By, Place and From
// are left to the caller, as is At of the policy's event: from names the record
// that it was made of, by the id of its topic.
func Queued(r *kgo.Record) (h oracle.Happening, e *envelope.Envelope, err error) {
	e, _, err = envelope.Parse(r)
	if err != nil {
		return h, nil, err
	}
	h = oracle.Happening{Kind: oracle.Queued, ID: e.DedupID(), Lane: lane(r.Key)}
	if e.Replay != nil {
		h.Entry, h.Version = e.Replay.Entry, e.Replay.Version
		return h, e, nil
	}
	if e.Alert.Throttle > 0 {
		h.Policy.Throttle, h.Policy.Key = e.Alert.Throttle, e.Alert.Rule+"/"+e.Alert.KeyText()
	}
	h.Policy.Expire = e.Alert.Expire
	return h, e, nil
}

// lane is the record's key; null is none.
func lane(key []byte) string {
	if key == nil {
		return ""
	}
	return "=" + string(key)
}

// DeadLetter reads a record of a dead-letter topic: an entry, or what closes one.
// By, Group and Place are left to the caller, Version is that of the entry that
// a replay was of.
func DeadLetter(r *kgo.Record) (oracle.Happening, *dlq.Entry, error) {
	if r.Value == nil {
		return oracle.Happening{Kind: oracle.Closed, ID: string(r.Key)}, nil, nil
	}
	e := dlq.Parse(r)
	if e.State == dlq.Malformed {
		return oracle.Happening{}, nil, fmt.Errorf("malformed: %s", e.Detail)
	}
	s := e.Envelope.Source
	h := oracle.Happening{
		Kind: oracle.Entered, ID: e.ID, Digest: oracle.Digest(s.Key, s.Value, s.Headers), Result: oracle.Refused,
		From: oracle.Place{Topic: s.Topic, Partition: s.Partition, Offset: s.Offset},
	}
	switch e.Reason {
	case outcome.Exhausted:
		h.Result = oracle.Exhausted
	case outcome.Unconfirmed:
		h.Result = oracle.Unconfirmed
	case outcome.Undecodable, outcome.NoLongerRouted:
		h.Result = oracle.Unmatched
	}
	return h, e, nil
}
