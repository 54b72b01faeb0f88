package dlq

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/replay"
)

// channelsEvery is the interval of looks at the states of channels.
const channelsEvery = 2 * time.Second

// watchChannels reports the channels of a plan that do not deliver, as the notifier on
// this host shows them, and again when that changes, until the returned function is
// called. Without a notifier on this host it reports nothing.
func (s *replayScreen) watchChannels(ctx context.Context, plan *replay.Plan) (stop func()) {
	l, err := s.g.Part("http")
	if err != nil || l.HTTP.Listen == "" {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var looking sync.WaitGroup
	looking.Go(func() { s.lookAtChannels(ctx, base.NewInstance(l.HTTP.Listen), plan) })
	return func() {
		cancel()
		looking.Wait()
	}
}

func (s *replayScreen) lookAtChannels(ctx context.Context, daemon *base.Instance, plan *replay.Plan) {
	states := make(map[string]string) // as reported
	tick := time.NewTicker(channelsEvery)
	defer tick.Stop()
	for {
		if now, err := daemon.Readiness(ctx); err == nil {
			for _, d := range plan.Destinations() {
				s.channelState(now, d.Channel, states)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// channelState reports a channel's state if it is not the one in states.
func (s *replayScreen) channelState(now *base.Readiness, name string, states map[string]string) {
	c := now.Channel(name)
	if c == nil || c.State == states[name] || c.OK && states[name] == "" {
		return
	}
	states[name] = c.State
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.OK {
		s.print("channel %s is %s again", name, c.State)
		return
	}
	s.print("channel %s is %s, its replays wait: %s", name, strings.ReplaceAll(c.State, "_", " "), c.Cause)
}
