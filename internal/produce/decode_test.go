package produce

import (
	"bytes"
	"encoding/json"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
)

// decode stands in for the decoder: objects with texts and numbers.
func decode(r event.Record) (event.Event, error) {
	dec := json.NewDecoder(bytes.NewReader(r.Value))
	dec.UseNumber()
	var doc map[string]any
	if err := dec.Decode(&doc); err != nil {
		return event.Event{}, outcome.Errorf(outcome.Truncated, "%v", err)
	}
	var members []event.Value
	for name, v := range doc {
		switch v := v.(type) {
		case string:
			members = append(members, event.Member(name, event.StringValue(v)))
		case json.Number:
			f, _ := v.Float64()
			members = append(members, event.Member(name, event.LiteralValue(v.String(), f)))
		}
	}
	return event.Event{Record: r, Doc: event.ObjectValue(members)}, nil
}
