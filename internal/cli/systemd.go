package cli

import (
	"fmt"
	"strings"

	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/lag"
	"github.com/algotrade/notifier/internal/obs/admin"
	"github.com/algotrade/notifier/internal/sdnotify"
	"github.com/algotrade/notifier/internal/term"
)

// newReporter returns what tells systemd how the daemon does. Its watchdog asks
// what /livez asks.
func newReporter(s *setup, m *members, monitor *kafka.Monitor, backlogs *lag.Monitor, o *outboxes, conditions *health.Conditions) (*sdnotify.Reporter, error) {
	return sdnotify.New(sdnotify.Params{
		Live: m.live, Joined: m.joined, Logger: s.log,
		Status: func() string {
			partitions := m.match.Status().Partitions + m.deliver.Status().Partitions
			return statusLine(partitions, ready(s, m, monitor, backlogs, o, conditions))
		},
	})
}

func (m *members) joined() bool { return m.match.Status().Joined && m.deliver.Status().Joined }

// statusLine is what /readyz says, in the line that `systemctl status` has room
// for: "ready: 18 partitions, 3 channels, desk suspended".
func statusLine(partitions int, components []admin.Component) string {
	channels := 0
	var bad, shown []string
	for _, c := range components {
		name, isChannel := strings.CutPrefix(c.Name, "channel ")
		if isChannel {
			channels++
		}
		switch {
		case c.OK:
		case isChannel && c.State == "healthy":
			shown = append(shown, name+" with a suspended rule")
		case isChannel:
			shown = append(shown, name+" "+strings.ReplaceAll(c.State, "_", " "))
		case c.Decides:
			bad = append(bad, c.Name+": "+c.Cause)
		default:
			shown = append(shown, c.Name+": "+c.Cause)
		}
	}
	if len(bad) > 0 {
		return "not ready: " + strings.Join(bad, "; ")
	}
	return strings.Join(append([]string{"ready: " + term.Count(partitions, "partition"), term.Count(channels, "channel")}, shown...), ", ")
}

func stoppingText(s *setup) string {
	return fmt.Sprintf("stopping: what is in flight may take %s", s.config.Shutdown.Drain)
}
