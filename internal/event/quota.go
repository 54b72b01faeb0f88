package event

import (
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// MaxValues limits the values kept of one record: elements, members and headers
// at any depth. A value takes 72 bytes of memory, even for one byte of JSON.
const MaxValues = 100_000

// quota is what one record may still use.
type quota struct {
	bytes, values int
	limit         yamldoc.Size // initial bytes
}

// takeBytes uses the bytes of one unpacked layer.
func (q *quota) takeBytes(layer string, size int) error {
	if q.bytes -= size; q.bytes < 0 {
		return outcome.Errorf(outcome.EventTooLarge, "larger than %s once unpacked (%s); events.max_unpacked sets the limit", q.limit, layer)
	}
	return nil
}

// takeValues uses n values.
func (q *quota) takeValues(n int) error {
	if q.values -= n; q.values < 0 {
		return tooManyValues("")
	}
	return nil
}

func tooManyValues(place string) error {
	return outcome.Errorf(outcome.EventTooLarge, "more than 100,000 values%s", place)
}
