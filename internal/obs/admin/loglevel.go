package admin

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// levels changes the log level for a limited time, after which the configured level returns.
type levels struct {
	level      *slog.LevelVar
	configured slog.Level
	log        *slog.Logger

	mu      sync.Mutex
	back    *time.Timer // nil: the configured level applies
	until   time.Time
	changes int // number of changes
}

// Bounds of the duration of a change; longest is the default.
const (
	shortest = time.Second
	longest  = time.Hour
)

func newLevels(level *slog.LevelVar, log *slog.Logger) *levels {
	return &levels{level: level, configured: level.Level(), log: log}
}

// get returns the level and until when it applies.
func (l *levels) get(w http.ResponseWriter, _ *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer(w)
}

// put sets the level in the body for a duration, ?for=10m.
func (l *levels) put(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(io.LimitReader(r.Body, 16))
	level, ok := parseLevel(string(bytes.TrimSpace(text)))
	if !ok {
		http.Error(w, "write debug, info, warn or error", http.StatusBadRequest)
		return
	}
	lasts := longest
	if query := r.URL.Query(); query.Has("for") {
		var err error
		if lasts, err = time.ParseDuration(query.Get("for")); err != nil || lasts < shortest || lasts > longest {
			http.Error(w, "for is a time such as 10m, from 1s to 1h", http.StatusBadRequest)
			return
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.back != nil {
		l.back.Stop()
	}
	l.back, l.until = nil, time.Time{}
	l.changes++
	attrs := []any{"by", peer(r)}
	if level != l.configured {
		l.until = time.Now().Add(lasts).Round(time.Second)
		change := l.changes
		l.back = time.AfterFunc(lasts, func() { l.goBack(change) })
		attrs = append(attrs, "for", lasts)
	}
	l.change(level, attrs...)
	l.answer(w)
}

// goBack restores the configured level after a change, unless there was another.
func (l *levels) goBack(change int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changes == change {
		l.back, l.until = nil, time.Time{}
		l.change(l.configured, "by", "expiry")
	}
}

// change sets the level and logs it at the more verbose one.
func (l *levels) change(to slog.Level, attrs ...any) {
	from := l.level.Level()
	attrs = append([]any{"from", nameOf(from), "to", nameOf(to)}, attrs...)
	if to > from {
		l.log.Warn("log level changed", attrs...)
		l.level.Set(to)
		return
	}
	l.level.Set(to)
	l.log.Warn("log level changed", attrs...)
}

func (l *levels) answer(w http.ResponseWriter) {
	if l.back == nil {
		fmt.Fprintln(w, nameOf(l.level.Level()))
		return
	}
	fmt.Fprintf(w, "%s until %s, then %s\n", nameOf(l.level.Level()), l.until.UTC().Format(time.RFC3339), nameOf(l.configured))
}

// stop stops the timer.
func (l *levels) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.back != nil {
		l.back.Stop()
	}
}

// parseLevel parses one of the four levels; slog also accepts info+3.
func parseLevel(text string) (slog.Level, bool) {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if strings.EqualFold(text, level.String()) {
			return level, true
		}
	}
	return 0, false
}

func nameOf(level slog.Level) string { return strings.ToLower(level.String()) }
