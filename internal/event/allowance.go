package event

import (
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// MaxValues is how many values one record may have kept: elements and members,
// however deeply nested, and headers. A kept value takes 72 bytes where one byte
// of JSON can stand for it.
const MaxValues = 100_000

// allowance is what is left of what one record may take.
type allowance struct {
	bytes, values int
	of            yamldoc.Size // what bytes were at first
}

// unpack takes the bytes of one layer, which holds size bytes.
func (a *allowance) unpack(layer string, size int) error {
	if a.bytes -= size; a.bytes < 0 {
		return outcome.Errorf(outcome.EventTooLarge, "larger than %s once unpacked (%s); events.max_unpacked sets the limit", a.of, layer)
	}
	return nil
}

// keep takes n values.
func (a *allowance) keep(n int) error {
	if a.values -= n; a.values < 0 {
		return tooManyValues("")
	}
	return nil
}

func tooManyValues(where string) error {
	return outcome.Errorf(outcome.EventTooLarge, "more than 100,000 values%s", where)
}
