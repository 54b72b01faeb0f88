package replay

import (
	"context"
	"time"

	"github.com/algotrade/notifier/internal/control"
)

// moves are the unsettled requests to move alerts to another channel. Dispatch carries
// them out; each is settled here only after that, so that a new owner of the outbox
// finds it above the committed offset.
type moves struct {
	*Handler
	open   []*move
	looked time.Time
}

type move struct {
	*request
	control.Request
	clamped bool // limited to the end of the outbox when it was read
}

// take takes a request to move alerts.
func (m *moves) take(q *request, c control.Request) {
	switch {
	case !m.p.Channels.Has(c.To):
		m.log.Error("cannot move alerts to a channel that is not configured", "channel", c.From, "to", c.To, "by", c.By)
		q.state = done
	case len(m.open) >= control.MaxOpen:
		m.log.Warn("too many requests to move alerts are open at once: this one is ignored", "channel", c.From, "to", c.To, "by", c.By)
		q.state = done
	default:
		m.open = append(m.open, &move{request: q, Request: c})
	}
}

// moveLook is the interval of checks whether moves are done.
const moveLook = 2 * time.Second

// end settles the moves without pending alerts.
func (m *moves) end(ctx context.Context, now time.Time) {
	if len(m.open) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	m.clamp(ctx)
	if now.Sub(m.looked) < moveLook {
		return
	}
	m.looked = now
	var asked []control.Request
	for _, o := range m.open {
		asked = append(asked, o.Request)
	}
	left, err := control.Left(ctx, m.admin, m.p.Group, m.p.Cluster, asked...)
	if err != nil {
		return
	}
	var open []*move
	for i, o := range m.open {
		if left[i] != 0 || !o.clamped {
			open = append(open, o)
			continue
		}
		o.state = done
		m.log.Info("alerts moved", "channel", o.From, "to", o.To, "by", o.By)
	}
	m.open = open
}

// clamp limits moves to the present ends of their outboxes, which is after the requests
// were read. After an error it tries again at the next call.
func (m *moves) clamp(ctx context.Context) {
	ends := make(control.Ends)
	for _, o := range m.open {
		if o.clamped {
			continue
		}
		if _, err := o.Clamp(ctx, m.admin, m.p.Group, ends); err != nil {
			return
		}
		o.clamped = true
	}
}
