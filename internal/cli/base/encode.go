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

// NewEncoder returns an encoder of one object a line, in which a terminal obeys
// nothing.
func NewEncoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(alert.VisibleJSON(w))
	enc.SetEscapeHTML(false)
	return enc
}

// User is who a dead letter's audit trail says it was: user@host.
func User() string {
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	if name == "" {
		name = "somebody"
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return name + "@" + host
}

// Quote returns an id as it is typed in a shell, as the last argument: ids
// of malformed entries are whatever someone wrote.
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

// Instant is a time for programs; nil where nobody knows, or where RFC 3339
// cannot say it.
func Instant(t time.Time) *time.Time {
	t = t.UTC()
	if t.IsZero() || t.Year() < 0 || t.Year() > 9999 {
		return nil
	}
	return &t
}
