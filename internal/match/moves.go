package match

import (
	"context"
	"time"

	"github.com/algotrade/notifier/internal/lag"
	"github.com/algotrade/notifier/internal/reroute"
	"github.com/algotrade/notifier/internal/topics"
)

// move is a request to send elsewhere what waits in an outbox. Stage two
// carries it out; here it stays unsettled until that is done, so that whoever
// owns the outbox next still finds it above the committed offset.
type move struct {
	*request
	reroute.Request
}

// takeMove takes in a request to move alerts.
func (w *replaying) takeMove(n *request, q reroute.Request) {
	if !w.p.Handler.p.Outboxes.has(q.To) {
		w.log.Error("cannot move alerts to a channel that is not configured", "channel", q.From, "to", q.To, "by", q.By)
		n.state = settled
		return
	}
	w.moves = append(w.moves, &move{n, q})
}

// moveLook is how often it is asked whether a move is done.
const moveLook = 2 * time.Second

// endMoves settles the moves that are done: nothing that they mean waits any
// more.
func (w *replaying) endMoves(ctx context.Context, now time.Time) {
	if len(w.moves) == 0 || now.Sub(w.movesAsked) < moveLook {
		return
	}
	w.movesAsked = now
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	h := w.p.Handler.p
	open := w.moves[:0]
	for _, m := range w.moves {
		topic := topics.Outbox(h.Group, m.From)
		waiting, err := lag.Waiting(ctx, h.Outboxes.admin, w.p.OutboxGroup, h.Cluster, topic)
		left, known := waiting[topic].Below(m.TopicID, m.Request.Below)
		if err != nil || !known || left > 0 {
			open = append(open, m)
			continue
		}
		m.state = settled
		w.log.Info("alerts moved", "channel", m.From, "to", m.To, "by", m.By)
	}
	clear(w.moves[len(open):])
	w.moves = open
}
