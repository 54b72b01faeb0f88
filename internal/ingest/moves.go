package ingest

import (
	"context"
	"time"

	"github.com/algotrade/notifier/internal/control"
)

// move is a request to send elsewhere what waits in an outbox. Stage two
// carries it out; here it stays unsettled until that is done, so that whoever
// owns the outbox next still finds it above the committed offset.
type move struct {
	*request
	control.Request
	clamped bool // limited to what the outbox held when it was read
}

// maxMoves is how many moves may be open at once: people ask for a few.
const maxMoves = 100

// takeMove takes in a request to move alerts.
func (w *replaying) takeMove(n *request, q control.Request) {
	switch {
	case !w.p.Handler.p.Outboxes.Has(q.To):
		w.log.Error("cannot move alerts to a channel that is not configured", "channel", q.From, "to", q.To, "by", q.By)
		n.state = settled
	case len(w.moves) >= maxMoves:
		w.log.Warn("too many requests to move alerts are open at once: this one is ignored", "channel", q.From, "to", q.To, "by", q.By)
		n.state = settled
	default:
		w.moves = append(w.moves, &move{request: n, Request: q})
	}
}

// moveLook is how often it is asked whether a move is done.
const moveLook = 2 * time.Second

// endMoves settles the moves that are done: nothing that they mean waits any
// more.
func (w *replaying) endMoves(ctx context.Context, now time.Time) {
	if len(w.moves) == 0 {
		return
	}
	w.clampMoves(ctx)
	if now.Sub(w.movesAsked) < moveLook {
		return
	}
	w.movesAsked = now
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	h := w.p.Handler.p
	var asked []control.Request
	for _, m := range w.moves {
		asked = append(asked, m.Request)
	}
	left, err := control.Left(ctx, w.p.Admin, h.Group, h.Cluster, asked...)
	if err != nil {
		return
	}
	open := w.moves[:0]
	for i, m := range w.moves {
		if left[i] != 0 || !m.clamped {
			open = append(open, m)
			continue
		}
		m.state = settled
		w.log.Info("alerts moved", "channel", m.From, "to", m.To, "by", m.By)
	}
	clear(w.moves[len(open):])
	w.moves = open
}

// clampMoves limits moves to what their outboxes hold now, which is after they
// were read. What cannot be asked is asked again at the next look.
func (w *replaying) clampMoves(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for _, m := range w.moves {
		if m.clamped {
			continue
		}
		if _, err := control.Clamp(ctx, w.p.Admin, w.p.Handler.p.Group, &m.Request); err != nil {
			return
		}
		m.clamped = true
	}
}
