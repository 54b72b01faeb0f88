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

// levels changes what is logged while the process runs, for a time. Then the
// configured level returns: who forgets it leaves no full disk behind, and no
// silence.
type levels struct {
	level      *slog.LevelVar
	configured slog.Level
	log        *slog.Logger

	mu    sync.Mutex
	back  *time.Timer // nil: the configured level is in force
	until time.Time
	asked int // how often a level was asked for
}

// shortest and longest are for how long a level can be asked for; longest is what
// holds where nothing is said.
const (
	shortest = time.Second
	longest  = time.Hour
)

func newLevels(level *slog.LevelVar, log *slog.Logger) *levels {
	return &levels{level: level, configured: level.Level(), log: log}
}

// get answers with the level, and with until when it is in force.
func (l *levels) get(w http.ResponseWriter, _ *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer(w)
}

// put sets the level that the body names, for the time that ?for=10m names.
func (l *levels) put(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(io.LimitReader(r.Body, 16))
	level, ok := named(string(bytes.TrimSpace(text)))
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
	l.asked++
	attrs := []any{"by", peer(r)}
	if level != l.configured {
		l.until = time.Now().Add(lasts).Round(time.Second)
		asked := l.asked
		l.back = time.AfterFunc(lasts, func() { l.goBack(asked) })
		attrs = append(attrs, "for", lasts)
	}
	l.change(level, attrs...)
	l.answer(w)
}

// goBack ends a level that was asked for a time, unless another was asked for
// since.
func (l *levels) goBack(asked int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked == asked {
		l.back, l.until = nil, time.Time{}
		l.change(l.configured, "by", "itself, its time is over")
	}
}

// change sets the level and says so, while the more talkative of both holds.
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

// stop ends the waiting for a level's time to be over.
func (l *levels) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.back != nil {
		l.back.Stop()
	}
}

// named is one of the four levels; slog would take info+3 too.
func named(text string) (slog.Level, bool) {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if strings.EqualFold(text, level.String()) {
			return level, true
		}
	}
	return 0, false
}

func nameOf(level slog.Level) string { return strings.ToLower(level.String()) }
