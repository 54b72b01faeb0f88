package ruletest

import (
	"encoding/json"
	"strconv"

	"github.com/algotrade/notifier/internal/event"
)

// merge returns base with the members of over: objects are merged, other values replaced.
func merge(base, over event.Value) event.Value {
	if over.Kind() == event.Missing {
		return base
	}
	if base.Kind() != event.Object || over.Kind() != event.Object {
		return over
	}
	var members []event.Value
	for i := range base.Len() {
		m := base.At(i)
		members = append(members, event.Member(m.Name(), merge(m, over.Get(m.Name()))))
	}
	for i := range over.Len() {
		if m := over.At(i); base.Get(m.Name()).Kind() == event.Missing {
			members = append(members, m)
		}
	}
	return event.ObjectValue(members)
}

// appendJSON appends a value as JSON.
func appendJSON(out []byte, v event.Value) []byte {
	switch v.Kind() {
	case event.Bool:
		return strconv.AppendBool(out, v.Bool())
	case event.Number:
		if text := []byte(v.Text()); json.Valid(text) {
			return append(out, text...)
		}
		return strconv.AppendFloat(out, v.Float(), 'f', -1, 64) // YAML's +5, 007 and .5
	case event.String:
		return append(out, quoted(v.Text())...)
	case event.Array, event.Object:
		brackets := "[]"
		if v.Kind() == event.Object {
			brackets = "{}"
		}
		out = append(out, brackets[0])
		for i := range v.Len() {
			if i > 0 {
				out = append(out, ',')
			}
			if v.Kind() == event.Object {
				out = append(append(out, quoted(v.At(i).Name())...), ':')
			}
			out = appendJSON(out, v.At(i))
		}
		return append(out, brackets[1])
	}
	return append(out, "null"...)
}

func quoted(text string) []byte {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string has JSON
	}
	return b
}
