package daemon

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/health/brokers"
	"github.com/algotrade/notifier/internal/ingest"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/lag"
	"github.com/algotrade/notifier/internal/notice"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/schemaregistry"
	"github.com/algotrade/notifier/internal/state"
	"github.com/algotrade/notifier/internal/topics"
)

// The constructors of the parts. They make no connection; graph.go wires them.

func newTracer(d *Daemon) *tracing.Tracer {
	return tracing.New(tracing.Params{Config: d.config.Tracing, Version: d.config.Version, Logger: d.log, Registry: d.deps.Registry})
}

// producers are separate clients for outboxes, dead letters and the delivery log, so that a
// blocked outbox does not delay a dead letter. tail reads the dead letters.
type producers struct {
	outbox, dead, log, tail *kgo.Client
}

func newProducers(d *Daemon, found *cluster) (*producers, error) {
	sizes, p := kafka.MaxMessageBytes(found.shapes), &producers{}
	for _, client := range []struct {
		into **kgo.Client
		role string
		more []kgo.Opt
	}{
		{&p.outbox, "outbox", kafka.OutboxOptions(sizes)},
		{&p.dead, "dead-letters", kafka.DeadLetterOptions(sizes)},
		{&p.log, "deliveries", deliverylog.Options()},
		{&p.tail, "replay", dlq.TailOptions()},
	} {
		opts, err := d.options(client.role, d.log, d.deps.Registry)
		if err == nil {
			*client.into, err = kgo.NewClient(append(opts, client.more...)...)
		}
		if err != nil {
			p.close()
			return nil, err
		}
	}
	return p, nil
}

func (p *producers) close() {
	for _, cl := range []*kgo.Client{p.outbox, p.dead, p.log, p.tail} {
		if cl != nil {
			cl.Close()
		}
	}
}

func newDeadLetters(d *Daemon, p *producers, tracer *tracing.Tracer) *dlq.Writer {
	return dlq.NewWriter(dlq.WriterParams{
		Client: p.dead, Group: d.config.Kafka.Group, Redactor: d.deps.Redactor, Logger: d.log, Tracer: tracer, Registry: d.deps.Registry,
		Written: d.deps.DeadLettered, Closed: d.deps.Closed,
	})
}

func newDeliveryLog(d *Daemon, p *producers, conditions *health.Conditions) *deliverylog.Writer {
	return deliverylog.NewWriter(deliverylog.Params{
		Client: p.log, Group: d.config.Kafka.Group, ClientID: d.config.Kafka.ClientID, Redactor: d.deps.Redactor,
		Conditions: conditions, Logger: d.log, Registry: d.deps.Registry,
	})
}

// newOutboxProducer returns the producer of outbox records of both stages.
func newOutboxProducer(d *Daemon, p *producers, tracer *tracing.Tracer) *outbox.Producer {
	return outbox.New(outbox.Params{
		Broker: outbox.Kafka(p.outbox), Group: d.config.Kafka.Group, Channels: d.config.channelNames(), SingleOwner: d.config.singleOwner,
		Tracer: tracer, Logger: d.log,
	})
}

func newNotices(outboxes *outbox.Producer) *notice.Sender { return notice.New(outboxes) }

func newIngest(d *Daemon, found *cluster, rules *rules, schemas *schemaregistry.Client, clients *producers, outboxes *outbox.Producer, dead *dlq.Writer, tracer *tracing.Tracer) *ingest.Handler {
	c := &d.config
	p := ingest.Params{
		Uncommitted: ingest.MostUncommitted,
		Group:       c.Kafka.Group, Cluster: found.id, Program: rules.program(c.Checks),
		Outboxes: outboxes, History: outbox.NewHistory(dlq.NewReader(clients.dead, c.Kafka.Group), d.log),
		Dead: dead, Topics: found.topics(kafka.RoleSource), Fallbacks: c.fallbacks(),
		MaxReplays: c.MaxReplays, Tracer: tracer, Logger: d.log, Registry: d.deps.Registry,
	}
	if schemas != nil {
		p.Schemas = schemas
	}
	return ingest.New(p)
}

func newReplays(d *Daemon, found *cluster, rules *rules, p *producers, h *ingest.Handler, outboxes *outbox.Producer, dead *dlq.Writer, tracer *tracing.Tracer) *replay.Handler {
	c := &d.config
	return replay.New(replay.Params{
		Group: c.Kafka.Group, Cluster: found.id, Ingest: h, Channels: outboxes, Dead: dead, Client: p.dead, Tail: p.tail,
		Gauges: dlq.NewGauges(d.deps.Registry), Rules: rules.channels, MaxReplays: c.MaxReplays, Tracer: tracer, Logger: d.log, Registry: d.deps.Registry,
	})
}

// ingestHandler passes partitions to the handler of their topic.
type ingestHandler struct {
	requests string // the topic of replay requests
	replays  *replay.Handler
	sources  *ingest.Handler
}

// Handle implements consume.Handler.
func (h ingestHandler) Handle(ctx context.Context, p *consume.Partition) {
	if p.Topic == h.requests {
		h.replays.Handle(ctx, p)
		return
	}
	h.sources.Handle(ctx, p)
}

// channels are the dispatchers of the channels.
type channels struct {
	byTopic map[string]*dispatch.Dispatcher
	ordered []*dispatch.Dispatcher
}

// newState returns the store of the channels' state.
func newState(d *Daemon, p *producers) *state.Store {
	return state.New(state.Params{Client: p.dead, Log: dlq.NewLog(p.dead), Group: d.config.Kafka.Group, Logger: d.log})
}

func newChannels(d *Daemon, found *cluster, dead *dlq.Writer, outboxes *outbox.Producer, log *deliverylog.Writer, store *state.Store, notices *notice.Sender, tracer *tracing.Tracer, conditions *health.Conditions) *channels {
	group, metrics := d.config.Kafka.Group, dispatch.NewMetrics(d.deps.Registry)
	all := &channels{byTopic: make(map[string]*dispatch.Dispatcher)}
	add := func(c Channel) {
		o := dispatch.New(dispatch.Params{
			Name: c.Name, Channel: c.Channel, Config: c.Dispatch, Driver: c.Driver, Uncommitted: d.config.Kafka.Window.Uncommitted, Group: group,
			Dead: dead, Outboxes: outboxes, Deliveries: log, State: store, Notices: notices, MaxReplays: d.config.MaxReplays, Logger: d.log, Tracer: tracer, Metrics: metrics, Conditions: conditions,
			Redact: d.deps.Redactor.Redact,
		})
		all.byTopic[topics.Outbox(group, c.Name)] = o
		all.ordered = append(all.ordered, o)
	}
	for _, c := range d.config.Channels {
		add(c)
	}
	for _, name := range found.gone {
		add(goneChannel(name))
	}
	all.use(d.config.Rules)
	return all
}

// follow has each channel, and learn, learn from the state topic.
func (c *channels) follow(store *state.Store, learn func(state.Record)) {
	for _, o := range c.ordered {
		store.Follow(o.Status().Name, func(r state.Record) {
			o.Learn(r)
			learn(r)
		})
	}
}

// use applies what a rules file says of messages, and of what they tell of.
func (c *channels) use(rules *rule.Set) {
	for _, o := range c.ordered {
		o.UseDigest(rules.Digest())
		o.UseZone(rules.Zone())
		o.UseRules(rules)
	}
}

func (c *channels) close() error {
	var errs []error
	for _, o := range c.ordered {
		errs = append(errs, o.Close())
	}
	return errors.Join(errs...)
}

// newControl returns the follower of move requests.
func newControl(d *Daemon, found *cluster, p *producers, c *channels) *control.Follower {
	group := d.config.Kafka.Group
	to := func(channel string, do func(*dispatch.Dispatcher)) {
		if o := c.byTopic[topics.Outbox(group, channel)]; o != nil {
			do(o)
		}
	}
	return control.NewFollower(control.FollowerParams{
		Admin: kadm.NewClient(p.dead), Log: dlq.NewLog(p.dead), Group: group, Cluster: found.id, Logger: d.log,
		Move:  func(q control.Request) { to(q.From, func(o *dispatch.Dispatcher) { o.Move(q) }) },
		Ended: func(q control.Request) { to(q.From, func(o *dispatch.Dispatcher) { o.MoveEnded(q) }) },
	})
}

// newView returns the shared view of the brokers.
func newView(found *cluster, p *producers) *brokers.View {
	var names []string
	for _, shape := range found.shapes {
		names = append(names, shape.Topic)
	}
	return brokers.NewView(p.dead, names...)
}

func newConditions(d *Daemon) *health.Conditions {
	return health.New(d.log, d.deps.Registry)
}

// members are the group members of the two stages.
type members struct {
	ingest, dispatch *consume.Member
}

func newMembers(d *Daemon, found *cluster, p *producers, h *ingest.Handler, r *replay.Handler, o *channels, follower *control.Follower, view *brokers.View, conditions *health.Conditions) (*members, error) {
	c := &d.config.Kafka
	sources, requests := found.topics(kafka.RoleSource), topics.Replay(c.Group)
	member := func(name, group string, names []string, own bool, handler consume.Handler) (*consume.Member, error) {
		opts, err := d.options(name, d.log, d.deps.Registry)
		if err != nil {
			return nil, err
		}
		if d.deps.Handler != nil {
			handler = d.deps.Handler(group, handler)
		}
		bytes, bundled := int(c.Window.Bytes), (func(string) bool)(nil)
		if own {
			bytes, bundled = c.Window.Outbox(), d.config.bundled()
		}
		return consume.New(consume.Params{
			Name: name, Group: group, Topics: names, OwnTopics: own, Bundled: bundled, Cluster: found.id, Options: opts,
			InstanceID: c.InstanceID, SessionTimeout: c.SessionTimeout,
			Window: consume.Window{Records: c.Window.Unsettled, Bytes: bytes},
			Drain:  d.config.Drain, Handler: handler, Logger: d.log, Registry: d.deps.Registry,
			Marked: sources, PassOversized: sources, Patient: []string{requests}, Conditions: conditions, View: view,
		}), nil
	}
	first, err := member("ingest", c.Group, slices.Concat(sources, []string{requests}), false, ingestHandler{requests: requests, replays: r, sources: h})
	if err != nil {
		return nil, err
	}
	deliver := dispatch.NewHandler(dispatch.HandlerParams{Outboxes: o.byTopic, Dead: dlq.NewLog(p.dead), Moves: follower.Known, Logger: d.log})
	second, err := member("dispatch", topics.OutboxGroup(c.Group), slices.Sorted(maps.Keys(o.byTopic)), true, deliver)
	if err != nil {
		return nil, err
	}
	return &members{ingest: first, dispatch: second}, nil
}

func newMonitor(d *Daemon, found *cluster, p *producers, view *brokers.View, conditions *health.Conditions) *kafka.Monitor {
	var list []kafka.Monitored
	for _, shape := range found.shapes {
		list = append(list, kafka.Monitored{Topic: shape.Topic, Role: shape.Role})
	}
	return kafka.NewMonitor(kafka.MonitorParams{
		View: view, Topics: list, Probe: d.probe,
		Producers: map[kafka.Role]*kgo.Client{kafka.RoleOutbox: p.outbox, kafka.RoleDeadLetter: p.dead, kafka.RoleDeliveries: p.log}, TLS: &d.config.Kafka.TLS,
		Conditions: conditions, Registry: d.deps.Registry,
	})
}

// newBacklogs returns the lag monitor.
func newBacklogs(d *Daemon, found *cluster, p *producers, view *brokers.View, o *channels, conditions *health.Conditions) *lag.Monitor {
	c := &d.config.Kafka
	var list []lag.Topic
	for _, topic := range append(found.topics(kafka.RoleSource), topics.Replay(c.Group)) {
		list = append(list, lag.Topic{Name: topic, Group: c.Group})
	}
	for _, outbox := range o.ordered {
		name := outbox.Status().Name
		list = append(list, lag.Topic{Name: topics.Outbox(c.Group, name), Group: topics.OutboxGroup(c.Group), Channel: name})
	}
	return lag.New(lag.Params{
		Client: p.dead, View: view, Log: dlq.NewLog(p.dead), Cluster: found.id, Topics: list, Others: d.config.Lag,
		Outboxes: topics.Outbox(c.Group, ""), OutboxGroup: topics.OutboxGroup(c.Group), Brokers: c.Brokers,
		Conditions: conditions, Logger: d.log, Registry: d.deps.Registry,
	})
}
