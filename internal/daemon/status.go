package daemon

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/lag"
	"github.com/algotrade/notifier/internal/obs/admin"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/sdnotify"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/topics"
)

// Live returns what is stuck; nil: the process makes progress. A daemon that is not running is
// live.
func (d *Daemon) Live() error {
	if s := d.running.Load(); s != nil {
		return s.live()
	}
	return nil
}

// Ready returns the components of /readyz.
func (d *Daemon) Ready() []admin.Component {
	if s := d.running.Load(); s != nil {
		return s.ready()
	}
	return []admin.Component{{Name: "start", Decides: true, Cause: "checking the cluster"}}
}

// status reports the state of the parts.
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

// newReporter returns the reporter to systemd.
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

// stuckAfter is how long a loop makes no progress until the process is not live. Blocked and
// paused partitions and suspended channels do not matter.
const stuckAfter = 30 * time.Second

func (s *status) live() error {
	for name, status := range map[string]consume.Status{"ingest": s.members.ingest.Status(), "dispatch": s.members.dispatch.Status()} {
		if d := time.Since(status.PolledAt); d > stuckAfter {
			return fmt.Errorf("%s has not polled for %s", name, d.Round(time.Second))
		}
		if d := time.Since(status.CommittedAt); d > stuckAfter {
			return fmt.Errorf("%s: the commit loop is stuck for %s", name, d.Round(time.Second))
		}
	}
	return nil
}

// ready returns the components: groups, partitions, topics, dead letters and outboxes decide
// readiness; the others are shown.
func (s *status) ready() []admin.Component {
	shown := func(name string, decides bool, types ...health.Type) admin.Component {
		cause := s.conditions.Text(types...)
		return admin.Component{Name: name, OK: cause == "", Decides: decides, Cause: cause}
	}
	components := []admin.Component{
		s.groups(), shown("partitions", true, health.Partitions...), shown("blocked", false, health.Blocked), shown("warnings", false, health.Warnings...),
	}
	for _, role := range []kafka.Role{kafka.RoleSource, kafka.RoleDeadLetter, kafka.RoleOutbox, kafka.RoleReplay, kafka.RoleDeliveries, kafka.RoleState} {
		problem := s.monitor.Problems(role)
		decides := role != kafka.RoleReplay && role != kafka.RoleDeliveries && role != kafka.RoleState // alerts are delivered without them
		components = append(components, admin.Component{Name: string(role), OK: problem == "", Decides: decides, Cause: problem})
	}
	for _, outbox := range s.channels.ordered {
		status := outbox.Status()
		backlog := s.backlogs.Backlog(topics.Outbox(s.group, status.Name))
		components = append(components, channelComponent(status, &backlog, time.Now()))
	}
	for i, c := range components {
		components[i].Cause, components[i].Remedy = s.redactor.Redact(c.Cause), s.redactor.Redact(c.Remedy)
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

// channelComponent returns a channel's state, cause, backlog and moves: "invalid_auth —
// 500,000 wait, the oldest for 2 d 3 h, kept until 26 Dec 09:31 CET". Alerts that will be throttled,
// as far as this process knows, do not wait.
func channelComponent(s dispatch.Status, backlog *lag.Backlog, now time.Time) admin.Component {
	left := *backlog
	left.Waiting = max(0, left.Waiting-int64(s.Throttled))
	backlog = &left
	c := admin.Component{Name: "channel " + s.Name, OK: s.State == channel.Healthy && s.Reason == "", State: s.State, Waiting: backlog.Waiting}
	if !s.Until.IsZero() {
		c.Until = &s.Until
	}
	if !backlog.Oldest.IsZero() {
		c.Oldest = &backlog.Oldest
	}
	if !backlog.KeptUntil.IsZero() {
		c.KeptUntil = &backlog.KeptUntil
	}
	in := troubleOf(s, backlog, now)
	c.Remedy = in.Remedy(now)
	since := ""
	if at := in.TroubleSince(now); !at.IsZero() {
		c.OK, c.Since, since = false, &at, " since "+at.UTC().Format("2 Jan 15:04 UTC")
		if c.State == channel.Healthy {
			c.State, since = channelBehind, "behind"+since
		}
	}
	waiting := backlog.Describe(now, c.OK, channel.Duration)
	if waiting != "" {
		waiting += sendingTime(s, backlog.Waiting)
	}
	if in.AtRisk {
		if c.OK = false; c.State == channel.Healthy {
			c.State = channelBehind
		}
	}
	reason := strings.TrimSpace(s.Reason + since)
	if c.State == channelBehind && s.Reason != "" {
		reason = since + ": " + s.Reason
	}
	causes := []string{reason, waiting, movingText(s.Moving), fallbackText(s.Fallback)}
	c.Cause = strings.Join(slices.DeleteFunc(causes, func(s string) bool { return s == "" }), " — ")
	for _, m := range s.Moving {
		c.Moving = append(c.Moving, admin.Moving{To: m.To, By: m.By})
	}
	return c
}

// channelBehind is the state of a channel that works, and whose oldest message has waited for
// minutes.
const channelBehind = "behind"

// fallbackText says where alerts go meanwhile.
func fallbackText(to string) string {
	if to == "" {
		return ""
	}
	return "alerts go to " + to + " meanwhile"
}

// sendingTime says how long a backlog takes at the channel's rate, where that is a minute or more:
// ", 8 m 20 s to send at its rate".
func sendingTime(s dispatch.Status, waiting int64) string {
	if s.Rate <= 0 || s.State == channel.Suspended || float64(waiting) < 60*s.Rate {
		return ""
	}
	return fmt.Sprintf(", %s to send at its rate", channel.Duration(time.Duration(float64(waiting)/s.Rate*float64(time.Second))))
}

// movingText describes moves: "waiting alerts move to mail, requested by ann@desk".
func movingText(moves []dispatch.Moving) string {
	if len(moves) == 0 {
		return ""
	}
	text := "waiting alerts move to " + moves[0].To
	if moves[0].By != "" {
		text += ", requested by " + moves[0].By
	}
	if more := len(moves) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// statusLine summarises the components for systemd: "ready: 18 partitions, 3 channels, desk
// suspended".
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
	return strings.Join(append([]string{"ready: " + plural.Count(partitions, "partition"), plural.Count(channels, "channel")}, shown...), ", ")
}
