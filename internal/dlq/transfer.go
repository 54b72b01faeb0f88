package dlq

import (
	"errors"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Format is the format in each line of an export.
const Format = "notifier-dlq/1"

// Transfer is a record of a dead-letter topic in an export, without loss: null and empty
// differ, and header names may repeat. Bytes are in base64, as encoding/json writes
// them.
type Transfer struct {
	Topic     string           `json:"topic"`
	Key       []byte           `json:"key_base64"`
	Value     []byte           `json:"value_base64"`
	Headers   []TransferHeader `json:"headers"`
	Timestamp int64            `json:"timestamp"` // milliseconds since 1970, as Kafka keeps it
}

// TransferHeader is one header. Its name is text where that is UTF-8.
type TransferHeader struct {
	Name    *string `json:"name,omitempty"`
	RawName []byte  `json:"name_base64,omitempty"`
	Value   []byte  `json:"value_base64"`
}

// NewTransfer returns the export of a record.
func NewTransfer(r *kgo.Record) *Transfer {
	t := &Transfer{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: make([]TransferHeader, len(r.Headers)), Timestamp: r.Timestamp.UnixMilli()}
	for i, h := range r.Headers {
		t.Headers[i].Value = h.Value
		if utf8.ValidString(h.Key) {
			t.Headers[i].Name = &h.Key
		} else {
			t.Headers[i].RawName = []byte(h.Key)
		}
	}
	return t
}

// Record returns the record that NewTransfer was given.
func (t *Transfer) Record() *kgo.Record {
	r := &kgo.Record{Topic: t.Topic, Key: t.Key, Value: t.Value, Timestamp: time.UnixMilli(t.Timestamp)}
	if len(t.Headers) > 0 {
		r.Headers = make([]kgo.RecordHeader, len(t.Headers))
	}
	for i, h := range t.Headers {
		r.Headers[i] = kgo.RecordHeader{Key: string(h.RawName), Value: h.Value}
		if h.Name != nil {
			r.Headers[i].Key = *h.Name
		}
	}
	return r
}

// Entry parses and checks the record. An error says why it cannot be imported.
func (t *Transfer) Entry() (*Entry, error) {
	r := t.Record()
	if r.Value == nil {
		return nil, errors.New("its value is null, which would close an entry")
	}
	e := Parse(r)
	if e.State == Malformed {
		return nil, errors.New("it is malformed: " + e.Detail)
	}
	return e, nil
}
