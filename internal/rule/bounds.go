package rule

import (
	"time"

	"github.com/algotrade/notifier/internal/duration"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// longest is the longest throttle and expire: outboxes keep alerts for this time.
const longest = 30 * 24 * time.Hour

// checkDuration checks the bounds of a throttle or expire that the decoder has read.
func checkDuration(at yamldoc.Cursor, name string, d time.Duration) {
	field := at.Field(name)
	if !at.Has(name) || !field.IsScalar() {
		return
	}
	text, _ := field.Scalar()
	if _, err := duration.Parse(text); err != nil {
		return // reported by the decoder, or empty
	}
	switch {
	case d < 0:
		field.Fault("%s is negative", text)
	case d == 0:
		field.Fault("%s is no time: remove %s for none", text, name)
	case d > longest:
		field.Fault("%s is longer than 30d, the most that alerts are kept for", text)
	}
}
