package logging

import (
	"context"
	"encoding"
	"fmt"
	"log/slog"
	"reflect"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/secret"
)

const (
	maxValue = 256     // bytes of an attribute
	maxTail  = 64      // thereof bytes of the end
	maxWhole = 8 << 10 // bytes of a message and of the attributes in whole
)

// whole are the attributes with the limit maxWhole.
var whole = map[string]bool{"problem": true, "remedy": true, "warning": true, "stack": true}

// tidy redacts secrets and truncates long values before another slog.Handler.
type tidy struct {
	next     slog.Handler
	redactor *secret.Redactor
}

// Enabled implements slog.Handler.
func (t tidy) Enabled(ctx context.Context, level slog.Level) bool { return t.next.Enabled(ctx, level) }

// Handle implements slog.Handler.
func (t tidy) Handle(ctx context.Context, rec slog.Record) error {
	clean := slog.NewRecord(rec.Time, rec.Level, cutEnd(t.redactor.Redact(rec.Message), maxWhole), rec.PC)
	rec.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(t.attr(a))
		return true
	})
	return t.next.Handle(ctx, clean)
}

// WithAttrs implements slog.Handler.
func (t tidy) WithAttrs(attrs []slog.Attr) slog.Handler {
	t.next = t.next.WithAttrs(t.attrs(attrs))
	return t
}

// WithGroup implements slog.Handler.
func (t tidy) WithGroup(name string) slog.Handler {
	t.next = t.next.WithGroup(name)
	return t
}

func (t tidy) attrs(list []slog.Attr) []slog.Attr {
	clean := make([]slog.Attr, len(list))
	for i, a := range list {
		clean[i] = t.attr(a)
	}
	return clean
}

func (t tidy) attr(a slog.Attr) slog.Attr {
	a.Value = a.Value.Resolve()
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(t.text(a.Key, a.Value.String()))
	case slog.KindGroup:
		a.Value = slog.GroupValue(t.attrs(a.Value.Group())...)
	case slog.KindAny:
		a.Value = t.any(a.Key, a.Value)
	}
	return a
}

// any returns errors and string types as text, and other values unchanged unless their text would
// change.
func (t tidy) any(key string, v slog.Value) (clean slog.Value) {
	defer func() {
		if p := recover(); p != nil { // as slog does, for example for a nil error
			clean = slog.StringValue(fmt.Sprintf("!PANIC: %T", p))
		}
	}()
	switch x := v.Any().(type) {
	case nil:
		return v
	case error:
		return slog.StringValue(t.text(key, x.Error()))
	case encoding.TextMarshaler:
		text, err := x.MarshalText()
		if err != nil {
			return slog.StringValue("!ERROR: " + t.text(key, err.Error()))
		}
		return slog.StringValue(t.text(key, string(text)))
	case []string:
		return slog.AnyValue(t.list(key, x))
	}
	if r := reflect.ValueOf(v.Any()); r.Kind() == reflect.String {
		return slog.StringValue(t.text(key, r.String()))
	}
	text := fmt.Sprintf("%+v", v.Any())
	if clean := t.text(key, text); clean != text {
		return slog.StringValue(clean)
	}
	return v
}

// list truncates a list to maxValue.
func (t tidy) list(key string, texts []string) []string {
	clean, size := make([]string, 0, len(texts)), 0
	for i, text := range texts {
		text = t.text(key, text)
		if size += len(text); size > maxValue && i > 0 {
			return append(clean, fmt.Sprintf("… (%d more)", len(texts)-i))
		}
		clean = append(clean, text)
	}
	return clean
}

// text redacts and truncates a text.
func (t tidy) text(key, s string) string {
	s = t.redactor.Redact(s)
	if whole[key] {
		return cutEnd(s, maxWhole)
	}
	if len(s) <= maxValue {
		return s
	}
	head, tail := boundary(s, maxValue-maxTail), boundary(s, len(s)-maxTail)
	return fmt.Sprintf("%s… (%d bytes cut) …%s", s[:head], tail-head, s[tail:])
}

// cutEnd truncates a text to most bytes.
func cutEnd(s string, most int) string {
	if len(s) <= most {
		return s
	}
	n := boundary(s, most)
	return fmt.Sprintf("%s… (%d bytes cut)", s[:n], len(s)-n)
}

// boundary returns the start of the character at a byte.
func boundary(s string, at int) int {
	for i := at; i > max(0, at-utf8.UTFMax); i-- {
		if utf8.RuneStart(s[i]) {
			return i
		}
	}
	return at // no UTF-8
}
