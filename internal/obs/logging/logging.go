// Package logging is the daemon's log: slog with rate-limited repeated lines, without secrets, long
// values and control characters. Start reading at New; see repeats and tidy.
package logging

import (
	"io"
	"log/slog"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/secret"
)

// Log is a logger whose level can change.
type Log struct {
	*slog.Logger
	Level *slog.LevelVar

	repeats *repeats
}

// New returns a log to w, as text or JSON. At level debug, repeated lines are not limited.
func New(w io.Writer, level slog.Level, text bool, redactor *secret.Redactor) *Log {
	l := &Log{Level: new(slog.LevelVar), repeats: newRepeats()}
	l.Level.Set(level)
	w = alert.VisibleJSON(w) // each line is one Write
	opts := &slog.HandlerOptions{Level: l.Level}
	var to slog.Handler
	if text {
		to = slog.NewTextHandler(w, opts)
	} else {
		opts.ReplaceAttr = formatDuration
		to = slog.NewJSONHandler(w, opts)
	}
	l.Logger = slog.New(handler{repeats: l.repeats, next: tidy{to, redactor}})
	return l
}

// formatDuration formats durations as 3s instead of 3000000000.
func formatDuration(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().Round(time.Microsecond).String())
	}
	return a
}

// Flush logs the suppressed lines with their counts. Call it before the process ends.
func (l *Log) Flush() { l.repeats.flush() }

// Unlimited returns a logger without suppression. A logger that is not of a Log is returned as it
// is.
func Unlimited(l *slog.Logger) *slog.Logger {
	if h, ok := l.Handler().(handler); ok {
		return slog.New(h.next)
	}
	return l
}
