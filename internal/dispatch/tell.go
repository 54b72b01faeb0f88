package dispatch

import (
	"context"
	"log/slog"
	"strings"

	"github.com/algotrade/notifier/internal/obs/tracing"
)

// maxEventID is how much of an event's id a line shows, in bytes: producers
// choose it.
const maxEventID = 200

// tell writes one line about a delivery: where its event stands, what it is,
// and where it is found in a trace, before what there is to say.
func (o *Dispatcher) tell(level slog.Level, msg string, d *delivery, args ...any) {
	if !o.log.Enabled(context.Background(), level) {
		return
	}
	e := d.envelope
	attrs := []any{"topic", e.Source.Topic, "partition", e.Source.Partition, "offset", e.Source.Offset, "rule", e.Alert.Rule, "delivery", e.Delivery}
	if id := e.Alert.EventID; id != "" {
		attrs = append(attrs, "event", strings.ToValidUTF8(id[:min(len(id), maxEventID)], ""))
	}
	o.log.Log(context.Background(), level, msg, append(append(attrs, args...), tracing.Log(e.Trace)...)...)
}
