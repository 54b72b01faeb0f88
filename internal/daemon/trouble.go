package daemon

import (
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/lag"
	"github.com/algotrade/notifier/internal/notice"
	"github.com/algotrade/notifier/internal/state"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/trouble"
)

// newTrouble returns the watcher of the channels. It follows their state.
func newTrouble(d *Daemon, c *channels, backlogs *lag.Monitor, notices *notice.Sender, store *state.Store, conditions *health.Conditions) *trouble.Watcher {
	group, redact := d.config.Kafka.Group, d.deps.Redactor.Redact
	w := trouble.New(trouble.Params{
		Group: group, To: d.config.NotifyTrouble, Notices: notices, State: store, Conditions: conditions, Logger: d.log,
		Channels: func() (all []trouble.Channel) {
			for _, o := range c.ordered {
				s := o.Status()
				backlog := backlogs.Backlog(topics.Outbox(group, s.Name))
				one := troubleOf(s, &backlog, time.Now())
				one.Suspended, one.Reason, one.Do = redact(one.Suspended), redact(one.Reason), redact(one.Do)
				all = append(all, one)
			}
			return all
		},
	})
	c.follow(store, w.Learn)
	return w
}

// troubleOf returns what is known of a channel. The lag of an outbox that several instances
// read, on a channel that does not gather, tells of the oldest that any of them has.
func troubleOf(s dispatch.Status, b *lag.Backlog, now time.Time) trouble.Channel {
	c := trouble.Channel{
		Name: s.Name, Owned: s.Owned, Since: s.Since, Do: s.Remedy, Succeeded: s.Succeeded, Oldest: s.Oldest, Fallback: s.Fallback,
		Waiting: max(0, b.Waiting-int64(s.Throttled)), KeptUntil: b.KeptUntil, AtRisk: b.AtRisk(now),
	}
	if c.Reason = s.Reason; s.State == channel.Suspended {
		c.Suspended = s.Reason
	}
	if s.Owned && !s.Gathers && !b.Oldest.IsZero() && (c.Oldest.IsZero() || b.Oldest.Before(c.Oldest)) && c.Waiting > 0 {
		c.Oldest = b.Oldest
	}
	c.Rate = strings.TrimPrefix(sendingTime(s, c.Waiting), ", ")
	return c
}
