package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/event"
)

// fetch waits until the decoder knows a schema, or that there is none, or ctx ends. hold
// is told why it takes long; "" that it is over.
func (h *Handler) fetch(ctx context.Context, id event.SchemaID, hold func(reason string)) {
	for held := false; ctx.Err() == nil; held = true {
		err := h.p.Schemas.Fetch(ctx, id)
		if err == nil {
			if held {
				hold("")
			}
			return
		}
		hold(consume.SchemaNeeded + ": " + err.Error())
	}
}

// MatchWaiting is Match that waits for a schema. False means that ctx ended first; hold is
// told why it takes long.
func (h *Handler) MatchWaiting(ctx context.Context, r *kgo.Record, arrived, now time.Time, hold func(reason string)) (alerts []alert.Alert, err error, ok bool) {
	for ctx.Err() == nil {
		var missing *event.SchemaMissing
		if alerts, err = h.Match(r, arrived, now); !errors.As(err, &missing) {
			return alerts, err, true
		}
		h.fetch(ctx, missing.ID, hold)
	}
	return nil, nil, false
}
