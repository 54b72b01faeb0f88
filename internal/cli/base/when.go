package base

import (
	"fmt"
	"time"

	"github.com/algotrade/notifier/internal/duration"
)

// ParseWhen reads a flag such as --since: a duration before now, or a time in RFC 3339;
// empty: the zero time. It returns no other time before 1970, where no record is, and which
// Kafka's requests have other meanings for.
func ParseWhen(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := duration.Parse(s); err == nil {
		return notBefore1970(now.Add(-d.Abs())), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a duration such as 2h or 7d nor a time such as 2026-11-23T14:31:05Z", s)
	}
	return notBefore1970(t), nil
}

func notBefore1970(t time.Time) time.Time {
	if first := time.Unix(0, 0); t.Before(first) {
		return first
	}
	return t
}
