package logging

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	Every    = time.Minute // interval of a repeated line
	maxKinds = 1000        // bounds memory; lines of further kinds are not suppressed
)

// repeats suppresses repeated lines. Lines are of one kind if level, message and attributes are the
// same, apart from numbers (except the partition), times, errors, ids and details. The first line
// of a kind is logged at once, then the last one of each interval Every with the attribute
// repeated, the number of lines. Nothing is suppressed at or while logging debug.
type repeats struct {
	mu    sync.Mutex
	kinds map[string]*kind
}

// kind has the suppressed lines of one kind in the current interval.
type kind struct {
	timer *time.Timer
	count int
	last  slog.Record
	next  slog.Handler // for last
}

func newRepeats() *repeats { return &repeats{kinds: make(map[string]*kind)} }

// suppress reports whether to suppress a line.
func (r *repeats) suppress(key string, next slog.Handler, rec slog.Record) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.kinds[key]; k != nil {
		k.count++
		k.last, k.next = rec.Clone(), next
		return true
	}
	if len(r.kinds) < maxKinds {
		r.kinds[key] = &kind{timer: time.AfterFunc(Every, func() { r.expire(key) })}
	}
	return false
}

// expire ends an interval. If lines were suppressed, it logs the last and begins another.
func (r *repeats) expire(key string) {
	r.mu.Lock()
	k := r.kinds[key]
	if k == nil || k.count == 0 {
		delete(r.kinds, key)
		r.mu.Unlock()
		return
	}
	count, last, next := k.count, k.last, k.next
	k.count, k.last, k.next = 0, slog.Record{}, nil
	k.timer.Reset(Every)
	r.mu.Unlock()
	show(next, last, count)
}

func show(next slog.Handler, last slog.Record, count int) {
	if next.Enabled(context.Background(), last.Level) { // the level may have changed
		last.AddAttrs(slog.Int("repeated", count))
		_ = next.Handle(context.Background(), last)
	}
}

// flush logs the suppressed lines, the oldest first.
func (r *repeats) flush() {
	r.mu.Lock()
	var suppressed []*kind
	for _, k := range r.kinds {
		k.timer.Stop()
		if k.count > 0 {
			suppressed = append(suppressed, k)
		}
	}
	clear(r.kinds)
	r.mu.Unlock()
	slices.SortFunc(suppressed, func(a, b *kind) int { return a.last.Time.Compare(b.last.Time) })
	for _, k := range suppressed {
		show(k.next, k.last, k.count)
	}
}

// single are the attributes that do not distinguish kinds.
var single = []string{
	"alert", "by", "delivery", "detail", "entry", "err", "error", "event", "host", "kept_until", "key", "peer", "receipt", "recipients",
	"remedy", "run", "since", "source", "span_id", "stack", "trace_id",
}

// word returns an attribute as part of the kind; empty: not part of it.
func word(a slog.Attr) string {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString, slog.KindBool:
		if slices.Contains(single, a.Key) {
			return ""
		}
	case slog.KindInt64:
		if a.Key != "partition" {
			return ""
		}
	case slog.KindAny:
		if _, is := v.Any().(error); is || slices.Contains(single, a.Key) {
			return ""
		}
	case slog.KindGroup:
		var b strings.Builder
		for _, member := range v.Group() {
			b.WriteString(word(member))
		}
		return b.String()
	default:
		return ""
	}
	return "\x00" + a.Key + "\x00" + v.String()
}

// handler suppresses repeated lines before another slog.Handler.
type handler struct {
	repeats *repeats
	next    slog.Handler
	words   string // of the logger's attributes
}

// Enabled implements slog.Handler.
func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, rec slog.Record) error {
	if rec.Level < slog.LevelInfo || h.next.Enabled(ctx, slog.LevelDebug) {
		return h.next.Handle(ctx, rec)
	}
	var key strings.Builder
	key.WriteString(rec.Level.String())
	key.WriteByte(0)
	key.WriteString(rec.Message)
	key.WriteString(h.words)
	rec.Attrs(func(a slog.Attr) bool {
		key.WriteString(word(a))
		return true
	})
	if h.repeats.suppress(key.String(), h.next, rec) {
		return nil
	}
	return h.next.Handle(ctx, rec)
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		h.words += word(a)
	}
	h.next = h.next.WithAttrs(attrs)
	return h
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler {
	h.words += "\x00" + name
	h.next = h.next.WithGroup(name)
	return h
}
