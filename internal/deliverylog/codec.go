package deliverylog

import (
	"encoding/json"
	"fmt"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/envelope"
)

// MaxSize bounds the value of a record, in bytes.
const MaxSize = 8 << 10

// limits are how much of a text a record has, in bytes, from the first that fits.
var limits = []int{512, 128, 16}

// encode returns the JSON form of a record, of at most MaxSize bytes.
func encode(r *Record) ([]byte, error) {
	b := make([]byte, 0, 1<<10)
	for _, limit := range limits {
		if b = shorten(r, limit).appendJSON(b[:0]); len(b) <= MaxSize {
			return b, nil
		}
	}
	return nil, fmt.Errorf("the record of delivery %s has %d bytes", r.Delivery, len(b))
}

// mostParts is how many parts of an alert key a record has.
const mostParts = 16

// shorten returns a record whose texts have at most limit bytes each. A record without
// longer ones is returned itself.
func shorten(r *Record, limit int) *Record {
	long := func(s string) bool { return len(s) > limit }
	fits := len(r.Key) <= mostParts
	for _, s := range r.texts() {
		fits = fits && !long(*s)
	}
	for _, part := range r.Key {
		fits = fits && !long(part)
	}
	for _, a := range r.Attempts {
		fits = fits && !long(a.Detail)
	}
	if fits {
		return r
	}
	short := *r
	short.Cut = true
	for _, s := range short.texts() {
		*s = alert.ShortenBytes(*s, limit)
	}
	short.Key = append([]string(nil), r.Key[:min(len(r.Key), mostParts)]...)
	for i := range short.Key {
		short.Key[i] = alert.ShortenBytes(short.Key[i], limit)
	}
	short.Attempts = append([]Attempt(nil), r.Attempts...)
	for i := range short.Attempts {
		short.Attempts[i].Detail = alert.ShortenBytes(short.Attempts[i].Detail, limit)
	}
	return &short
}

// texts are the texts that a person or a provider chose.
func (r *Record) texts() [12]*string {
	return [...]*string{&r.Title, &r.Rule, &r.Channel, &r.Severity, &r.Receipt, &r.Detail, &r.Event.ID, &r.Event.Type, &r.Event.Topic, &r.To, &r.ResentBy, &r.Client}
}

// decode reads what encode wrote, or somebody else.
func decode(value []byte) (*Record, error) {
	r := new(Record)
	switch err := json.Unmarshal(value, r); {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errForeign, err)
	case r.Version != Version:
		return nil, fmt.Errorf("%w: version %d, this notifier reads %d", errForeign, r.Version, Version)
	case r.Decision == "", !envelope.IsID(r.Alert), !envelope.IsID(r.Delivery):
		return nil, errForeign
	}
	return r, nil
}
