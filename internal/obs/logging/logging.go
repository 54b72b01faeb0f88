// Package logging is the daemon's log: lines of log/slog on one stream, of
// which those that repeat are shown at once, then once a minute with how often
// they came. No line holds a secret, a value of any length, or a character that a
// terminal obeys. Start reading at New; repeats holds the first rule, tidy the
// others.
package logging

import (
	"io"
	"log/slog"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/secret"
)

// Log is a logger with what its owner does to it.
type Log struct {
	*slog.Logger
	// Level is what is logged; it can be changed at any time.
	Level *slog.LevelVar

	repeats *repeats
}

// New returns a log on w, as text or as JSON, without what the redactor takes
// out. Nothing is held back while the level is debug.
func New(w io.Writer, level slog.Level, text bool, redactor *secret.Redactor) *Log {
	l := &Log{Level: new(slog.LevelVar), repeats: newRepeats()}
	l.Level.Set(level)
	w = alert.VisibleJSON(w) // each line is one call of Write
	opts := &slog.HandlerOptions{Level: l.Level}
	var to slog.Handler
	if text {
		to = slog.NewTextHandler(w, opts)
	} else {
		opts.ReplaceAttr = durationsInWords
		to = slog.NewJSONHandler(w, opts)
	}
	l.Logger = slog.New(handler{repeats: l.repeats, next: tidy{to, redactor}})
	return l
}

// durationsInWords writes 3s, as text does, where JSON would have 3000000000
// and nobody would know of what.
func durationsInWords(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().Round(time.Microsecond).String())
	}
	return a
}

// Flush says of every line that was held back how often it came. It is called
// before the process ends.
func (l *Log) Flush() { l.repeats.flush() }

// Unlimited returns a logger of which no line is held back, for what limits
// itself. A logger that is not of a Log comes back as it is.
func Unlimited(l *slog.Logger) *slog.Logger {
	if h, ok := l.Handler().(handler); ok {
		return slog.New(h.next)
	}
	return l
}
