package schema_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
)

// reading is what a schema has made of bytes.
type reading struct {
	text    string // JSON
	cause   outcome.Cause
	detail  string
	repairs []string
}

func read(s event.Schema, data []byte, members ...string) (got reading) {
	q := event.NewQuota(event.DefaultMaxUnpacked)
	var keep map[string]bool
	for _, m := range members {
		if keep == nil {
			keep = make(map[string]bool)
		}
		keep[m] = true
	}
	v, err := s.Read(nil, data, keep, &q, func(kind, _ string) { got.repairs = append(got.repairs, kind) })
	var failed *outcome.Error
	if errors.As(err, &failed) {
		got.cause, got.detail = failed.Cause, failed.Detail
		return got
	}
	if err != nil {
		panic(err)
	}
	var b strings.Builder
	write(&b, v)
	got.text = b.String()
	return got
}

// write writes a value as JSON, with the literals of its numbers.
func write(b *strings.Builder, v event.Value) {
	switch v.Kind() {
	case event.Null:
		b.WriteString("null")
	case event.Bool:
		json.NewEncoder(trim{b}).Encode(v.Bool())
	case event.Number:
		b.WriteString(v.Text())
	case event.String:
		json.NewEncoder(trim{b}).Encode(v.Text())
	case event.Array, event.Object:
		brackets := "[]"
		if v.Kind() == event.Object {
			brackets = "{}"
		}
		b.WriteByte(brackets[0])
		for i := range v.Len() {
			if i > 0 {
				b.WriteByte(',')
			}
			if v.Kind() == event.Object {
				json.NewEncoder(trim{b}).Encode(v.At(i).Name())
				b.WriteByte(':')
			}
			write(b, v.At(i))
		}
		b.WriteByte(brackets[1])
	default:
		b.WriteString("MISSING")
	}
}

// trim leaves out the line break that json.Encoder adds.
type trim struct{ b *strings.Builder }

func (t trim) Write(p []byte) (int, error) {
	t.b.WriteString(strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}

func expect(t *testing.T, name string, got reading, want string, repairs ...string) {
	t.Helper()
	if got.cause != "" || got.text != want {
		t.Errorf("%s: %s %s\n got %s\nwant %s", name, got.cause, got.detail, got.text, want)
	}
	if strings.Join(got.repairs, " ") != strings.Join(repairs, " ") {
		t.Errorf("%s: repairs %v, want %v", name, got.repairs, repairs)
	}
}

func expectFailure(t *testing.T, name string, got reading, cause outcome.Cause) {
	t.Helper()
	if got.cause != cause || got.detail == "" {
		t.Errorf("%s: cause %q (%s), want %q; read %.100s", name, got.cause, got.detail, cause, got.text)
	}
}
