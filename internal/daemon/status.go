package daemon

import (
	"fmt"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/lag"
	"github.com/algotrade/notifier/internal/obs/admin"
	"github.com/algotrade/notifier/internal/sdnotify"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

// Live reports what is stuck; nil: the process makes progress. A daemon that does
// not run yet or no longer is live.
func (d *Daemon) Live() error {
	if s := d.running.Load(); s != nil {
		return s.live()
	}
	return nil
}

// Ready returns the components of /readyz; until everything runs it is one that
// says so.
func (d *Daemon) Ready() []admin.Component {
	if s := d.running.Load(); s != nil {
		return s.ready()
	}
	return []admin.Component{{Name: "start", Decides: true, Cause: "looking at the cluster"}}
}

// status knows how the parts do.
type status struct {
	group      string
	redactor   *secret.Redactor
	members    *members
	monitor    *kafka.Monitor
	backlogs   *lag.Monitor
	channels   *channels
	conditions *health.Conditions
}

func newStatus(d *Daemon, m *members, monitor *kafka.Monitor, backlogs *lag.Monitor, c *channels, conditions *health.Conditions) *status {
	return &status{
		group: d.config.Kafka.Group, redactor: d.deps.Redactor, members: m, monitor: monitor, backlogs: backlogs, channels: c, conditions: conditions,
	}
}

func newServer(d *Daemon, s *status) (*admin.Server, error) {
	c := d.config.HTTP
	if c.Listen == "" {
		return nil, nil
	}
	return admin.New(admin.Params{
		Listen: c.Listen, Hosts: c.Hosts, Token: c.Token, Version: d.config.Version,
		Live: s.live, Ready: s.ready, Gatherer: d.deps.Registry, Level: d.deps.Level, Logger: d.log,
	})
}

// newReporter returns what reports to systemd. Its watchdog asks what /livez asks.
func newReporter(d *Daemon, s *status) (*sdnotify.Reporter, error) {
	return sdnotify.New(sdnotify.Params{
		Live: s.live, Joined: s.joined, Logger: d.log,
		Status: func() string {
			partitions := s.members.ingest.Status().Partitions + s.members.dispatch.Status().Partitions
			return statusLine(partitions, s.ready())
		},
	})
}

func (s *status) joined() bool {
	return s.members.ingest.Status().Joined && s.members.dispatch.Status().Joined
}

// stuckAfter is how long a loop may stand still in a process that is alive.
// Blocked and paused partitions and suspended channels are alive.
const stuckAfter = 30 * time.Second

func (s *status) live() error {
	for name, status := range map[string]consume.Status{"ingest": s.members.ingest.Status(), "dispatch": s.members.dispatch.Status()} {
		if d := time.Since(status.PolledAt); d > stuckAfter {
			return fmt.Errorf("%s has not polled for %s", name, d.Round(time.Second))
		}
		if d := time.Since(status.CommittedAt); d > stuckAfter {
			return fmt.Errorf("%s: the commit loop has not turned for %s", name, d.Round(time.Second))
		}
	}
	return nil
}

// ready lists the components: groups, partitions, topics, dead letters and
// outboxes decide; blocked partitions, warnings, replays and channels are shown.
func (s *status) ready() []admin.Component {
	shown := func(name string, decides bool, types ...health.Type) admin.Component {
		cause := s.conditions.Text(types...)
		return admin.Component{Name: name, OK: cause == "", Decides: decides, Cause: cause}
	}
	components := []admin.Component{
		s.groups(), shown("partitions", true, health.Partitions...), shown("blocked", false, health.Blocked), shown("warnings", false, health.Warnings...),
	}
	for _, role := range []kafka.Role{kafka.RoleSource, kafka.RoleDeadLetter, kafka.RoleOutbox, kafka.RoleReplay} {
		problem := s.monitor.Problems(role)
		decides := role != kafka.RoleReplay // alerts go out without it
		components = append(components, admin.Component{Name: string(role), OK: problem == "", Decides: decides, Cause: problem})
	}
	for _, outbox := range s.channels.ordered {
		status := outbox.Status()
		waits := s.backlogs.Backlog(topics.Outbox(s.group, status.Name))
		components = append(components, channelComponent(status, &waits, time.Now()))
	}
	for i, c := range components { // anybody may ask, and systemd keeps it
		components[i].Cause = s.redactor.Redact(c.Cause)
	}
	return components
}

func (s *status) groups() admin.Component {
	var causes []string
	if text := s.conditions.Text(health.Groups...); text != "" {
		causes = append(causes, text)
	}
	for _, member := range []struct {
		name   string
		status consume.Status
	}{{"ingest", s.members.ingest.Status()}, {"dispatch", s.members.dispatch.Status()}} {
		if !member.status.Joined {
			causes = append(causes, member.name+": "+member.status.Cause)
		}
	}
	return admin.Component{Name: "groups", OK: len(causes) == 0, Decides: true, Cause: strings.Join(causes, "; ")}
}

// channelComponent says what a channel is doing, why, and what waits for it:
// "invalid_auth — 500,000 wait, the oldest for 2 d 3 h, kept until 26 Dec 09:31".
func channelComponent(s dispatch.Status, waits *lag.Backlog, now time.Time) admin.Component {
	c := admin.Component{Name: "channel " + s.Name, OK: s.State == channel.Healthy && s.Reason == "", State: s.State, Cause: s.Reason, Waiting: waits.Waiting}
	if !waits.Oldest.IsZero() {
		c.Oldest = &waits.Oldest
	}
	if !waits.KeptUntil.IsZero() {
		c.KeptUntil = &waits.KeptUntil
	}
	if text := waits.Sentence(now, c.OK, channel.Duration); c.Cause == "" {
		c.Cause = text
	} else if text != "" {
		c.Cause += " — " + text
	}
	if text := movingText(s.Moving); text != "" {
		if c.Cause != "" {
			c.Cause += " — "
		}
		c.Cause += text
	}
	for _, m := range s.Moving {
		c.Moving = append(c.Moving, admin.Moving{To: m.To, By: m.By})
	}
	return c
}

// movingText says where what waited for a channel goes instead: "what waited
// goes to mail, asked by ann@desk".
func movingText(moves []dispatch.Moving) string {
	if len(moves) == 0 {
		return ""
	}
	text := "what waited goes to " + moves[0].To
	if moves[0].By != "" {
		text += ", asked by " + moves[0].By
	}
	if more := len(moves) - 1; more > 0 {
		text += fmt.Sprintf(" (and %s more)", term.Many(int64(more), "request"))
	}
	return text
}

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
		case isChannel && c.State == channel.Healthy:
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
