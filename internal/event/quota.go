package event

import (
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// MaxValues limits the values kept of one record: elements, members and headers
// at any depth. A value takes 72 bytes of memory, even for one byte of JSON.
const MaxValues = 100_000

// Quota is what one record may still use of bytes and values.
type Quota struct {
	bytes, values int
	limit         yamldoc.Size // initial bytes
}

// NewQuota returns the quota of a record that may be limit bytes once unpacked.
func NewQuota(limit yamldoc.Size) Quota {
	return Quota{bytes: int(limit), values: MaxValues, limit: limit}
}

// TakeBytes uses the bytes of one unpacked layer.
func (q *Quota) TakeBytes(layer string, size int) error {
	if q.bytes -= size; q.bytes < 0 {
		return outcome.Errorf(outcome.EventTooLarge, "larger than %s once unpacked (%s); events.max_unpacked sets the limit", q.limit, layer)
	}
	return nil
}

// TakeValues uses n values.
func (q *Quota) TakeValues(n int) error {
	if q.values -= n; q.values < 0 {
		return tooManyValues("")
	}
	return nil
}

func tooManyValues(place string) error {
	return outcome.Errorf(outcome.EventTooLarge, "more than 100,000 values%s", place)
}
