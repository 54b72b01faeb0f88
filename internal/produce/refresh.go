package produce

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"
)

// refresh returns doc on one line. If it has event_id and occurred_at, they are
// replaced by a new id and now.
func refresh(doc []byte, now time.Time) ([]byte, error) {
	var out bytes.Buffer
	if err := json.Compact(&out, doc); err != nil {
		return nil, err
	}
	return replace(out.Bytes(), map[string]string{
		"event_id":    rand.Text(),
		"occurred_at": now.UTC().Format("2006-01-02T15:04:05.000000Z07:00"),
	})
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
