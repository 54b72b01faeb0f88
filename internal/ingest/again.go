package ingest

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
)

// History knows which deliveries outboxes hold: see outbox.History.
type History interface {
	Look(ctx context.Context, channel, delivery string, at time.Time) (holds, held bool, err error)
}

// clockAhead is how far producers' clocks may be ahead. To look for the alert of a
// record that is new costs next to nothing.
const clockAhead = 24 * time.Hour

// unsent leaves out what the outboxes hold already of the alerts of a record that was
// handled before a person had its topic evaluated again, and returns which of the
// other deliveries may have been sent. It asks until it is known; false means that ctx
// ended first. A resolved alert that the outboxes do not hold is doubtful: its key may
// have been known to be resolved then, and may fire again since.
func (b *Batch) unsent(ctx context.Context, r *kgo.Record, alerts []alert.Alert) (_ []alert.Alert, doubtful map[string]bool, ok bool) {
	doubtful = make(map[string]bool)
	kept := alerts[:0]
	for _, a := range alerts {
		var channels []string
		for _, channel := range a.Channels {
			delivery := alert.NewDelivery(a.ID, channel)
			holds, held, known := b.look(ctx, channel, delivery, r.Timestamp)
			if !known {
				return nil, nil, false
			}
			if !holds {
				channels = append(channels, channel)
				doubtful[delivery] = held || a.State == alert.Resolved
			}
		}
		if a.Channels = channels; len(channels) > 0 {
			kept = append(kept, a)
		}
	}
	return kept, doubtful, true
}

// look asks the history until it answers; known is false if ctx ended first.
func (b *Batch) look(ctx context.Context, channel, delivery string, at time.Time) (holds, held, known bool) {
	if b.h.p.History == nil {
		return false, true, true
	}
	wait := newBackoff()
	for failed := false; ctx.Err() == nil; failed = true {
		holds, held, err := b.h.p.History.Look(ctx, channel, delivery, at)
		if err == nil {
			if failed {
				b.p.Hold("")
			}
			return holds, held, true
		}
		if ctx.Err() == nil {
			b.p.Hold(fmt.Sprintf("outbox of %s cannot be read (%s)", channel, brief(err)))
			sleep(ctx, wait.NextBackOff())
		}
	}
	return false, false, false
}
