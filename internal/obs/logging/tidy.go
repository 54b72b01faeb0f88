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
	// maxValue is how much of an attribute's text is logged, in bytes: values
	// come from events, brokers and providers, and may be of any length.
	maxValue = 256
	// maxTail is how much of that is the text's end, where errors have what to do.
	maxTail = 64
	// maxWhole is how much of a message is logged, and of what a person needs all
	// of: remedies, warnings about the configuration, stacks.
	maxWhole = 8 << 10
)

// whole are the attributes that are logged up to maxWhole.
var whole = map[string]bool{"do": true, "problem": true, "warning": true, "stack": true}

// tidy is the last slog.Handler before lines are written: it takes secrets out of
// every text, and cuts values that are too long.
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

// any returns a value of another type: errors and texts of our own vocabularies
// as text; the rest as it is, unless its text would have to be another one.
func (t tidy) any(key string, v slog.Value) (clean slog.Value) {
	defer func() {
		if p := recover(); p != nil { // as slog does: a nil error, say
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

// list keeps as many texts as fit into one value.
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

// text returns what is logged of a text.
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

// cutEnd cuts the end off a text that is longer than most bytes.
func cutEnd(s string, most int) string {
	if len(s) <= most {
		return s
	}
	n := boundary(s, most)
	return fmt.Sprintf("%s… (%d bytes cut)", s[:n], len(s)-n)
}

// boundary is where the character begins that has a text's byte at.
func boundary(s string, at int) int {
	for i := at; i > max(0, at-utf8.UTFMax); i-- {
		if utf8.RuneStart(s[i]) {
			return i
		}
	}
	return at // no UTF-8
}
