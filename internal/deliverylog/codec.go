package deliverylog

import (
	"encoding/json"
	"fmt"
	"slices"

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

// mostParts is how many parts of an alert key, and how many fields, a record has.
const mostParts = 16

// shorten returns a record whose texts have at most limit bytes each. A record without
// longer ones is returned itself.
func shorten(r *Record, limit int) *Record {
	long := func(s string) bool { return len(s) > limit }
	fits := len(r.Key) <= mostParts && len(r.Group) <= mostParts && len(r.Fields) <= mostParts
	for _, s := range r.texts() {
		fits = fits && !long(*s)
	}
	for _, part := range slices.Concat(r.Key, r.KeyNames, r.Group) {
		fits = fits && !long(part)
	}
	for _, f := range r.Fields {
		fits = fits && !long(f.Label) && !long(f.Value)
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
	for _, list := range []*[]string{&short.Key, &short.KeyNames, &short.Group} {
		*list = slices.Clone((*list)[:min(len(*list), mostParts)])
		for i := range *list {
			(*list)[i] = alert.ShortenBytes((*list)[i], limit)
		}
	}
	short.Fields = slices.Clone(r.Fields[:min(len(r.Fields), mostParts)])
	for i := range short.Fields {
		f := &short.Fields[i]
		f.Label, f.Value = alert.ShortenBytes(f.Label, limit), alert.ShortenBytes(f.Value, limit)
	}
	short.Attempts = append([]Attempt(nil), r.Attempts...)
	for i := range short.Attempts {
		short.Attempts[i].Detail = alert.ShortenBytes(short.Attempts[i].Detail, limit)
	}
	return &short
}

// texts are the texts that a person or a provider chose.
func (r *Record) texts() [14]*string {
	return [...]*string{&r.Title, &r.Rule, &r.Channel, &r.Severity, &r.State, &r.Receipt, &r.Detail, &r.Event.ID, &r.Event.Type, &r.Event.Topic, &r.To, &r.ResentBy, &r.Silence, &r.Client}
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
