package dispatch

import (
	"log/slog"

	"github.com/algotrade/notifier/internal/outcome"
)

// dropNotice ends a notice of the notifier itself that the channel will never take. It has
// no source record that a replay could send again, so it becomes no dead letter: the log
// and the delivery log say what it was and why it was not sent.
func (t turn) dropNotice(e *outcome.Error) {
	t.o.metrics.outcome(dropped)
	t.o.tell(slog.LevelError, "notice dropped: the channel does not take it", t.d, "title", t.d.envelope.Alert.Title.String(), "cause", e.Cause, "detail", e.Detail)
	t.endKept(dropped, e.Error(), func() { t.o.lanes.advance(t.l) })
}
