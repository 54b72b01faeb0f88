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
	// Every is how often a line that repeats is shown after the first time.
	Every = time.Minute
	// maxKinds is how many kinds of lines are watched at once; beyond it lines
	// are shown as they come: memory is bounded, and nothing is lost.
	maxKinds = 1000
)

// repeats holds back lines that repeat. Two lines are of one kind when they
// have the same level and message, and the same words beside them. What names
// a single case is no such word: numbers but for the partition, times, errors,
// ids and details. The first line of a kind is shown at once. Of those that
// follow within Every the last is shown when it has passed, with repeated: how
// many there were. After an interval without any the next is a first one again.
//
// Lines at debug are never held back, and none is while debug is logged: who
// asks for all gets all.
type repeats struct {
	mu    sync.Mutex
	kinds map[string]*kind
}

// kind is what came of one kind in the present interval, after the line that
// opened it.
type kind struct {
	timer *time.Timer
	count int
	last  slog.Record
	next  slog.Handler // of the last
}

func newRepeats() *repeats { return &repeats{kinds: make(map[string]*kind)} }

// hold reports whether a line is held back.
func (r *repeats) hold(key string, next slog.Handler, rec slog.Record) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.kinds[key]; k != nil {
		k.count++
		k.last, k.next = rec.Clone(), next
		return true
	}
	if len(r.kinds) < maxKinds {
		r.kinds[key] = &kind{timer: time.AfterFunc(Every, func() { r.passed(key) })}
	}
	return false
}

// passed ends an interval: with a line, after which another begins, or without.
func (r *repeats) passed(key string) {
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
	if next.Enabled(context.Background(), last.Level) { // the level may be another by now
		last.AddAttrs(slog.Int("repeated", count))
		_ = next.Handle(context.Background(), last)
	}
}

// flush shows what is held back, the oldest first, and begins again.
func (r *repeats) flush() {
	r.mu.Lock()
	var held []*kind
	for _, k := range r.kinds {
		k.timer.Stop()
		if k.count > 0 {
			held = append(held, k)
		}
	}
	clear(r.kinds)
	r.mu.Unlock()
	slices.SortFunc(held, func(a, b *kind) int { return a.last.Time.Compare(b.last.Time) })
	for _, k := range held {
		show(k.next, k.last, k.count)
	}
}

// single are the words that name a single case.
var single = []string{
	"alert", "by", "delivery", "detail", "do", "entry", "err", "error", "event", "host", "kept_until", "key", "peer", "receipt", "recipients",
	"run", "since", "source", "span_id", "stack", "trace_id",
}

// word writes an attribute that tells kinds apart; empty: it does not.
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
		// Our own vocabulary is of string types; errors, lists and the like
		// name a case.
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

// handler is slog.Handler in front of another.
type handler struct {
	repeats *repeats
	next    slog.Handler
	words   string // of the attributes that the logger has
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
	if h.repeats.hold(key.String(), h.next, rec) {
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
