package dispatch

import (
	"context"
	"log/slog"

	"github.com/algotrade/notifier/internal/tracing"
)

// tell writes one line about a delivery: where its event stands, what it is,
// and where it is found in a trace, before what there is to say.
func (o *Outbox) tell(level slog.Level, msg string, d *delivery, args ...any) {
	if !o.log.Enabled(context.Background(), level) {
		return
	}
	e := d.envelope
	attrs := []any{"topic", e.Source.Topic, "partition", e.Source.Partition, "offset", e.Source.Offset, "rule", e.Alert.Rule, "delivery", e.Delivery}
	if id := e.Alert.EventID; id != "" {
		attrs = append(attrs, "event", id)
	}
	o.log.Log(context.Background(), level, msg, append(append(attrs, args...), tracing.Log(e.Trace)...)...)
}
