package produce

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/algotrade/notifier/internal/event"
)

// refresh returns doc on one line. The members that fields name as the event's id and
// time, if they are not below another member, are replaced by a new id and now.
func refresh(doc []byte, fields event.Fields, now time.Time) ([]byte, error) {
	var out bytes.Buffer
	if err := json.Compact(&out, doc); err != nil {
		return nil, err
	}
	values, id := make(map[string]string), rand.Text()
	for _, path := range fields.Time {
		values[path] = now.UTC().Format("2006-01-02T15:04:05.000000Z07:00")
	}
	for _, path := range fields.ID {
		values[path] = id
	}
	return replace(out.Bytes(), values)
}

// replace replaces the values of existing members of a JSON object.
func replace(doc []byte, values map[string]string) ([]byte, error) {
	var out []byte
	copied := int64(0) // of doc
	dec := json.NewDecoder(bytes.NewReader(doc))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, fmt.Errorf("not an object")
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var old json.RawMessage
		if err := dec.Decode(&old); err != nil {
			return nil, err
		}
		value, ok := values[name.(string)]
		if !ok {
			continue
		}
		quoted, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		end := dec.InputOffset()
		out = append(out, doc[copied:end-int64(len(old))]...)
		out = append(out, quoted...)
		copied = end
	}
	return append(out, doc[copied:]...), nil
}
