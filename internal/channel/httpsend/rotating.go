package httpsend

import (
	"log/slog"
	"strings"
	"sync"

	"github.com/algotrade/notifier/internal/secret"
)

// Rotating is a value that is made of secrets and made again when one of them
// changes. Invalid secrets, such as a half-written file, are logged once and the last
// valid value is used.
type Rotating[T any] struct {
	name    string // of the channel's kind, for the log
	secrets []secret.String
	make    func() (T, error)

	mu       sync.Mutex
	log      *slog.Logger
	last     T
	valid    string // the secrets of last, to detect changes
	rejected string // invalid secrets that were logged
}

// NewRotating returns the value that newValue makes of the current secrets, or its
// error.
func NewRotating[T any](name string, secrets []secret.String, newValue func() (T, error)) (*Rotating[T], error) {
	r := &Rotating[T]{name: name, secrets: secrets, make: newValue, log: slog.New(slog.DiscardHandler), valid: join(secrets)}
	var err error
	r.last, err = newValue()
	return r, err
}

// SetLogger sets the logger for changes of secrets, before the first Current.
func (r *Rotating[T]) SetLogger(log *slog.Logger) { r.log = log }

// Current reads the secrets and returns the value.
func (r *Rotating[T]) Current() T {
	now := join(r.secrets)
	r.mu.Lock()
	defer r.mu.Unlock()
	if now == r.valid || now == r.rejected {
		return r.last
	}
	value, err := r.make()
	if err != nil {
		r.rejected = now
		r.log.Warn("new "+r.name+" secrets are invalid, still using the previous ones", "err", err)
		return r.last
	}
	r.last, r.valid, r.rejected = value, now, ""
	r.log.Info(r.name + " secrets changed")
	return r.last
}

// join returns the current values of secrets as one text.
func join(secrets []secret.String) string {
	values := make([]string, len(secrets))
	for i, s := range secrets {
		values[i] = s.Current()
	}
	return strings.Join(values, "\x00")
}
