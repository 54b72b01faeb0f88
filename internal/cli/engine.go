package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/registry"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/health/brokers"
	"github.com/algotrade/notifier/internal/ingest"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/lag"
	"github.com/algotrade/notifier/internal/obs/admin"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

// The constructors of the daemon's parts. They are plain functions; app.go
// wires them, and nothing here knows how.

// setup is what the daemon is made from.
type setup struct {
	config   *config.Loaded
	redactor *secret.Redactor
	log      *slog.Logger
	level    *slog.LevelVar
	console  io.Writer
	shapes   []kafka.Shape
	cluster  string
	gone     []string // channels that are configured no more and that alerts wait for
	// buried and resolved, where they are set, hear of every dead letter that was
	// written and closed.
	buried   func(*dlq.Entry)
	resolved func(dlq.Closure)
}

func (s *setup) channelNames() []string { return s.config.Channels.Names() }

func (s *setup) topics(role kafka.Role) []string {
	var names []string
	for _, shape := range s.shapes {
		if shape.Role == role {
			names = append(names, shape.Topic)
		}
	}
	return names
}

func buildRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "notifier_build_info", Help: "1, with the version as a label.",
	}, []string{"version"})
	info.WithLabelValues(base.VersionText()).Set(1)
	reg.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

func newTracer(s *setup, reg *prometheus.Registry) *tracing.Tracer {
	return tracing.New(tracing.Params{Config: s.config.Tracing, Version: base.VersionText(), Logger: s.log, Registry: reg})
}

// producers are the two clients that write, apart from each other: a blocked
// outbox must not delay a dead letter. tail follows the dead letters.
type producers struct {
	outbox, dead, tail *kgo.Client
}

func newProducers(s *setup, reg *prometheus.Registry) (*producers, error) {
	sizes := kafka.MaxMessageBytes(s.shapes)
	producer := func(role string, options func(func(string) int32) []kgo.Opt) (*kgo.Client, error) {
		opts, err := s.config.Kafka.Options(role, s.log, reg)
		if err != nil {
			return nil, err
		}
		return kgo.NewClient(append(opts, options(sizes)...)...)
	}
	outbox, err := producer("outbox", kafka.OutboxOptions)
	if err != nil {
		return nil, err
	}
	dead, err := producer("dead-letters", kafka.DeadLetterOptions)
	if err != nil {
		outbox.Close()
		return nil, err
	}
	tail, err := producer("replay", func(func(string) int32) []kgo.Opt { return dlq.TailOptions() })
	if err != nil {
		outbox.Close()
		dead.Close()
		return nil, err
	}
	return &producers{outbox, dead, tail}, nil
}

func (p *producers) close() {
	p.outbox.Close()
	p.dead.Close()
	p.tail.Close()
}

func newDeadLetters(s *setup, p *producers, tracer *tracing.Tracer, reg *prometheus.Registry) *dlq.Writer {
	w := dlq.NewWriter(p.dead, s.config.Kafka.Group, s.log, reg)
	w.Observe, w.ObserveClosed, w.Tracer, w.Redactor = s.buried, s.resolved, tracer, s.redactor
	return w
}

// newOutboxWriter returns what writes to the outboxes, for both stages.
func newOutboxWriter(s *setup, p *producers, tracer *tracing.Tracer) (*outbox.Producer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	o := outbox.New(outbox.Params{Broker: outbox.Kafka(p.outbox), Group: s.config.Kafka.Group, Channels: s.channelNames(), Tracer: tracer, Logger: s.log})
	if err := o.Load(ctx); err != nil { // it was there a moment ago, so another start can help
		return nil, &kafka.Problem{Exit: kafka.ExitUnavailable, Text: err.Error()}
	}
	return o, nil
}

func newMatchHandler(s *setup, outboxes *outbox.Producer, dead *dlq.Writer, tracer *tracing.Tracer, reg *prometheus.Registry) *ingest.Handler {
	var names []ingest.RuleName
	for _, r := range s.config.Rules.Rules() {
		for _, severity := range r.Severities {
			names = append(names, ingest.RuleName{Rule: r.Name, Severity: severity})
		}
	}
	return ingest.New(ingest.Params{
		Group: s.config.Kafka.Group, Cluster: s.cluster,
		Decoder: event.NewDecoder(&s.config.Events, s.config.Rules.Reads(), reg), Rules: s.config.Rules,
		Outboxes: outboxes, Dead: dead, Topics: s.topics(kafka.RoleSource), RuleList: names,
		MaxReplays: s.config.DLQ.MaxReplays, Tracer: tracer, Logger: s.log, Registry: reg,
	})
}

func newReplays(s *setup, p *producers, h *ingest.Handler, outboxes *outbox.Producer, dead *dlq.Writer, tracer *tracing.Tracer, reg *prometheus.Registry) *replay.Handler {
	rules := make(map[string][]string)
	for _, r := range s.config.Rules.Rules() {
		rules[r.Name] = r.Channels
	}
	return replay.New(replay.Params{
		Group: s.config.Kafka.Group, Cluster: s.cluster, Ingest: h, Channels: outboxes, Dead: dead, Client: p.dead, Tail: p.tail,
		Gauges: dlq.NewGauges(reg), Rules: rules, MaxReplays: s.config.DLQ.MaxReplays, Tracer: tracer, Logger: s.log, Registry: reg,
	})
}

// stageOne hands partitions to the handler of what their topic holds.
type stageOne struct {
	replay  string
	replays *replay.Handler
	sources *ingest.Handler
}

// Handle implements consume.Handler.
func (h stageOne) Handle(ctx context.Context, p *consume.Partition) {
	if p.Topic == h.replay {
		h.replays.Handle(ctx, p)
		return
	}
	h.sources.Handle(ctx, p)
}

// outboxes are the channels' outboxes, by their topics.
type outboxes struct {
	byTopic map[string]*dispatch.Outbox
	ordered []*dispatch.Outbox
}

func newOutboxes(s *setup, dead *dlq.Writer, elsewhere *outbox.Producer, tracer *tracing.Tracer, conditions *health.Conditions, reg *prometheus.Registry) (*outboxes, error) {
	metrics := dispatch.NewMetrics(reg)
	all := &outboxes{byTopic: make(map[string]*dispatch.Outbox)}
	add := func(name string, ch channel.Channel, cfg dispatch.Config) {
		o := dispatch.NewOutbox(dispatch.Params{
			Name: name, Channel: ch, Config: cfg, Uncommitted: s.config.Kafka.Window.Uncommitted, Group: s.config.Kafka.Group,
			Dead: dead, Elsewhere: elsewhere, MaxReplays: s.config.DLQ.MaxReplays, Logger: s.log, Tracer: tracer, Metrics: metrics, Conditions: conditions,
		})
		all.byTopic[topics.Outbox(s.config.Kafka.Group, name)] = o
		all.ordered = append(all.ordered, o)
	}
	for _, name := range s.channelNames() {
		c := s.config.Channels.Get(name)
		ch, err := c.Build(name, registry.With{Console: s.console, Redactor: s.redactor, Logger: s.log})
		if err != nil {
			_ = all.close()
			return nil, err
		}
		add(name, ch, c.Dispatch)
	}
	for _, name := range s.gone {
		add(name, goneChannel{name}, goneConfig())
	}
	return all, nil
}

func (o *outboxes) close() error {
	var first error
	for _, outbox := range o.ordered {
		if err := outbox.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// newMoves returns what follows the requests to send elsewhere what waits for
// a channel.
func newMoves(s *setup, p *producers, o *outboxes) *control.Follower {
	group := s.config.Kafka.Group
	take := func(q control.Request) {
		if outbox := o.byTopic[topics.Outbox(group, q.From)]; outbox != nil {
			outbox.Move(q)
		}
	}
	f := control.NewFollower(kadm.NewClient(p.dead), dlq.NewLog(p.dead), group, s.cluster, take, s.log)
	f.Ended = func(q control.Request) {
		if outbox := o.byTopic[topics.Outbox(group, q.From)]; outbox != nil {
			outbox.MoveEnded(q)
		}
	}
	return f
}

// members are the two members of the consumer groups, one for each stage.
type members struct {
	match, deliver *consume.Member
}

// newView returns the view of the brokers that the parts share.
func newView(s *setup, p *producers) *brokers.View {
	var names []string
	for _, shape := range s.shapes {
		names = append(names, shape.Topic)
	}
	return brokers.NewView(p.dead, names...)
}

func newConditions(s *setup, reg *prometheus.Registry) *health.Conditions {
	return health.New(s.log, reg)
}

func newMembers(s *setup, p *producers, h *ingest.Handler, r *replay.Handler, o *outboxes, moves *control.Follower, view *brokers.View, conditions *health.Conditions, reg *prometheus.Registry) (*members, error) {
	c := s.config.Kafka
	member := func(name, group string, names []string, own bool, handler consume.Handler) (*consume.Member, error) {
		opts, err := c.Options(name, s.log, reg)
		if err != nil {
			return nil, err
		}
		return consume.New(consume.Params{
			Name: name, Group: group, Topics: names, OwnTopics: own, Cluster: s.cluster, Options: opts,
			InstanceID: c.InstanceID, SessionTimeout: c.SessionTimeout,
			Window: consume.Window{Records: c.Window.Unsettled, Bytes: int(c.Window.Bytes)},
			Drain:  s.config.Shutdown.Drain, Handler: handler, Logger: s.log, Registry: reg,
			Marked: s.topics(kafka.RoleSource), PassOversized: s.topics(kafka.RoleSource), Patient: []string{topics.Replay(c.Group)}, Conditions: conditions, View: view,
		}), nil
	}
	replay := topics.Replay(c.Group)
	m, err := member("match", c.Group, append(s.topics(kafka.RoleSource), replay), false, stageOne{replay: replay, replays: r, sources: h})
	if err != nil {
		return nil, err
	}
	deliver := dispatch.NewHandler(o.byTopic, dlq.NewLog(p.dead), s.log)
	deliver.Moves = moves.Known
	d, err := member("deliver", topics.OutboxGroup(c.Group), slices.Sorted(maps.Keys(o.byTopic)), true, deliver)
	if err != nil {
		return nil, err
	}
	return &members{match: m, deliver: d}, nil
}

func newMonitor(s *setup, p *producers, view *brokers.View, conditions *health.Conditions, reg *prometheus.Registry) *kafka.Monitor {
	var list []kafka.Monitored
	for _, shape := range s.shapes {
		list = append(list, kafka.Monitored{Topic: shape.Topic, Role: shape.Role})
	}
	return kafka.NewMonitor(kafka.MonitorParams{
		View: view, Topics: list, Probe: kafka.ProbeOf(&s.config.Kafka),
		Producers: map[kafka.Role]*kgo.Client{kafka.RoleOutbox: p.outbox, kafka.RoleDeadLetter: p.dead}, TLS: &s.config.Kafka.TLS, Conditions: conditions, Registry: reg,
	})
}

// newBacklogs returns what looks at what waits for us.
func newBacklogs(s *setup, p *producers, view *brokers.View, o *outboxes, conditions *health.Conditions, reg *prometheus.Registry) *lag.Monitor {
	c := &s.config.Kafka
	var list []lag.Topic
	for _, topic := range append(s.topics(kafka.RoleSource), topics.Replay(c.Group)) {
		list = append(list, lag.Topic{Name: topic, Group: c.Group})
	}
	for _, outbox := range o.ordered {
		name := outbox.Status().Name
		list = append(list, lag.Topic{Name: topics.Outbox(c.Group, name), Group: topics.OutboxGroup(c.Group), Channel: name})
	}
	return lag.New(lag.Params{
		Client: p.dead, View: view, Log: dlq.NewLog(p.dead), Cluster: s.cluster, Topics: list, Others: s.config.Lag,
		Outboxes: topics.Outbox(c.Group, ""), OutboxGroup: topics.OutboxGroup(c.Group), Brokers: c.Brokers,
		Conditions: conditions, Logger: s.log, Registry: reg,
	})
}

func newWeb(s *setup, m *members, monitor *kafka.Monitor, backlogs *lag.Monitor, o *outboxes, conditions *health.Conditions, reg *prometheus.Registry) (*admin.Server, error) {
	return admin.New(admin.Params{
		Listen: s.config.HTTP.Listen, Hosts: s.config.HTTP.Hosts, Token: s.config.HTTP.Token, Version: base.VersionText(),
		Live: m.live, Ready: func() []admin.Component { return ready(s, m, monitor, backlogs, o, conditions) },
		Gatherer: reg, Level: s.level, Logger: s.log,
	})
}

// stuckAfter is how long a loop may stand still in a process that is alive.
// Blocked and paused partitions and suspended channels are alive.
const stuckAfter = 30 * time.Second

func (m *members) live() error {
	for name, status := range map[string]consume.Status{"match": m.match.Status(), "deliver": m.deliver.Status()} {
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
func ready(s *setup, m *members, monitor *kafka.Monitor, backlogs *lag.Monitor, o *outboxes, conditions *health.Conditions) []admin.Component {
	group := admin.Component{Name: "groups", Decides: true, Cause: conditions.Text(health.Groups...)}
	group.OK = group.Cause == ""
	for _, member := range []struct {
		name   string
		status consume.Status
	}{{"match", m.match.Status()}, {"deliver", m.deliver.Status()}} {
		if !member.status.Joined {
			group.OK = false
			if group.Cause != "" {
				group.Cause += "; "
			}
			group.Cause += member.name + ": " + member.status.Cause
		}
	}
	stand := conditions.Text(health.Partitions...)
	blocked, warnings := conditions.Text(health.Blocked), conditions.Text(health.Warnings...)
	components := []admin.Component{
		group,
		{Name: "partitions", OK: stand == "", Decides: true, Cause: stand},
		{Name: "blocked", OK: blocked == "", Cause: blocked},
		{Name: "warnings", OK: warnings == "", Cause: warnings},
	}
	for _, role := range []kafka.Role{kafka.RoleSource, kafka.RoleDeadLetter, kafka.RoleOutbox} {
		problem := monitor.Problems(role)
		components = append(components, admin.Component{Name: string(role), OK: problem == "", Decides: true, Cause: problem})
	}
	problem := monitor.Problems(kafka.RoleReplay) // alerts go out without it
	components = append(components, admin.Component{Name: string(kafka.RoleReplay), OK: problem == "", Cause: problem})
	for _, outbox := range o.ordered {
		status := outbox.Status()
		waits := backlogs.Backlog(topics.Outbox(s.config.Kafka.Group, status.Name))
		components = append(components, channelComponent(status, &waits, time.Now()))
	}
	for i, c := range components { // anybody may ask, and systemd keeps it
		components[i].Cause = s.redactor.Redact(c.Cause)
	}
	return components
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
