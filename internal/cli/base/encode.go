package base

import (
	"encoding/json"
	"io"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/alert"
)

// NewEncoder returns an encoder of one object per line, with control characters
// escaped.
func NewEncoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(alert.VisibleJSON(w))
	enc.SetEscapeHTML(false)
	return enc
}

// EncodeAll writes one object per line.
func EncodeAll[T any](w io.Writer, list []T) error {
	enc := NewEncoder(w)
	for _, v := range list {
		if err := enc.Encode(v); err != nil {
			return err
		}
	}
	return nil
}

// User returns user@host, for audit trails.
func User() string {
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	if name == "" {
		name = "unknown"
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return name + "@" + host
}

// Quote quotes an id as the last argument of a shell command. Ids of malformed
// entries can be any text.
func Quote(id string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.:@/+", r)
	}
	word := id
	if strings.IndexFunc(id, func(r rune) bool { return !plain(r) }) >= 0 {
		word = "'" + strings.ReplaceAll(id, "'", `'\''`) + "'"
	}
	if strings.HasPrefix(id, "-") {
		return "-- " + word
	}
	return word
}

// OptionalTime returns t for JSON; nil if it is zero or outside RFC 3339.
func OptionalTime(t time.Time) *time.Time {
	t = t.UTC()
	if t.IsZero() || t.Year() < 0 || t.Year() > 9999 {
		return nil
	}
	return &t
}
