package kafka

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/health/brokers"
)

// Role is what a topic is to the daemon.
type Role string

// The roles, which are also the components of readiness.
const (
	RoleSource     Role = "topics"
	RoleDeadLetter Role = "dead letters"
	RoleOutbox     Role = "outboxes"
	RoleReplay     Role = "replays"
)

// written reports whether the daemon writes to topics of this role.
func (r Role) written() bool { return r == RoleDeadLetter || r == RoleOutbox }

// Monitored is one topic that must be there, and be writable where the daemon
// writes to it.
type Monitored struct {
	Topic string
	Role  Role
}

// MonitorInterval is how often the view of the brokers and the producers are
// checked.
const MonitorInterval = 2 * time.Second

// Monitor looks at the topics that the daemon needs, again and again: kgo says
// nothing about one that goes missing, about brokers that are gone, and about a
// password that is no longer right.
type Monitor struct {
	p         MonitorParams
	available *prometheus.GaugeVec

	mu      sync.Mutex
	refused map[Role]*Problem // of producers that were refused an id
	looked  bool
}

// MonitorParams is what a Monitor needs.
type MonitorParams struct {
	View   *brokers.View // of the brokers, which knows Topics
	Topics []Monitored
	// Probe connect again, as ProbeOf does, and says why that fails; it is asked
	// when the brokers do not answer.
	Probe func(context.Context) error
	// Producers are the clients that write, by what they write to.
	Producers map[Role]*kgo.Client
	// TLS, where it is set, has its files read again and its certificates watched.
	TLS        *TLS
	Conditions *health.Conditions
	Registry   prometheus.Registerer
}

// NewMonitor returns a monitor.
func NewMonitor(p MonitorParams) *Monitor {
	m := &Monitor{
		p: p,
		available: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "notifier_topic_available", Help: "1 while the topic is there and can be used.",
		}, []string{"topic"}),
		refused: make(map[Role]*Problem),
	}
	for _, t := range p.Topics {
		m.available.WithLabelValues(t.Topic)
	}
	if p.Registry != nil {
		p.Registry.MustRegister(m.available)
		if p.TLS != nil && p.TLS.wire != nil {
			p.Registry.MustRegister(newExpiry(p.TLS.wire))
		}
	}
	return m
}

// ProbeOf returns a function that makes a client, asks a broker for a sign of
// life as Reach does, and closes it: connections that stand say nothing about
// whether a new one could be made.
func ProbeOf(c *Config) func(context.Context) error {
	return func(ctx context.Context) error {
		opts, err := c.Options("probe", slog.New(slog.DiscardHandler), nil)
		if err != nil {
			return err
		}
		cl, err := kgo.NewClient(opts...)
		if err != nil {
			return err
		}
		defer cl.Close()
		return Reach(ctx, cl, c)
	}
}

// RefusedAfter is how long the brokers must refuse the login before Run gives
// up.
const RefusedAfter = time.Minute

// refusedLease is how long a refusal counts after it was last met.
const refusedLease = 30 * time.Second

// Run looks every MonitorInterval until ctx ends. It returns a *Problem when
// the brokers have refused the login for RefusedAfter, or a producer its id
// for ProducerRefusedAfter.
func (m *Monitor) Run(ctx context.Context) error {
	tick := time.NewTicker(MonitorInterval)
	defer tick.Stop()
	for {
		m.look(ctx)
		if m.p.TLS != nil {
			m.p.TLS.watch(time.Now())
		}
		if c, lasted := m.p.Conditions.Longest(health.Login); lasted >= RefusedAfter {
			return problemf(ExitDenied, "login refused for %s: %s", RefusedAfter, c.Message)
		}
		if err := m.refusedProducer(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (m *Monitor) look(ctx context.Context) {
	names := make([]string, len(m.p.Topics))
	for i, t := range m.p.Topics {
		names[i] = t.Topic
	}
	details, err := m.p.View.Topics(ctx, brokers.MetadataAge, names...)
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		m.noBroker(ctx, err)
		return
	}
	for _, t := range m.p.Topics {
		m.note(t, problem(t, details[t.Topic]))
	}
	m.lookAtProducers(ctx)
	m.p.Conditions.Clear(health.Brokers, "")
	m.p.Conditions.Clear(health.Login, "")
	m.done()
}

// done takes note of a look that is complete.
func (m *Monitor) done() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.looked = true
}

func problem(t Monitored, d kadm.TopicDetail) string {
	switch {
	case d.Err == kerr.UnknownTopicOrPartition:
		return fmt.Sprintf("topic %s is missing: run 'notifier topics create'", t.Topic)
	case isDenied(d.Err):
		return fmt.Sprintf("topic %s is forbidden: DESCRIBE is not allowed; grant it on the topic, or on the prefix", t.Topic)
	case d.Err != nil:
		return fmt.Sprintf("topic %s: %s", t.Topic, word(d.Err))
	}
	for _, p := range d.Partitions.Sorted() {
		if p.Leader < 0 {
			return fmt.Sprintf("topic %s, partition %d has no leader: a broker that holds it must come back", t.Topic, p.Partition)
		}
	}
	if rights := lacks(d.AuthorizedOperations, Shape{Topic: t.Topic, Role: t.Role}); len(rights) > 0 {
		return fmt.Sprintf("not authorised: %s; grant it on the topic, or on the prefix", strings.Join(rights, ", "))
	}
	return ""
}

func (m *Monitor) note(t Monitored, problem string) {
	if problem == "" {
		m.available.WithLabelValues(t.Topic).Set(1)
		m.p.Conditions.Clear(health.Topic, t.Topic)
		return
	}
	m.available.WithLabelValues(t.Topic).Set(0)
	m.p.Conditions.Set(health.Condition{Type: health.Topic, Subject: t.Topic, Message: problem, Attrs: []any{"topic", t.Topic}})
}

// noBroker finds out why nobody answers. Only an answer of the broker that
// refuses user and password counts as that: a connection that is closed while
// we log in may be a broker that stops, and must not end the daemon.
func (m *Monitor) noBroker(ctx context.Context, err error) {
	probed := m.p.Probe(ctx)
	if ctx.Err() != nil {
		return
	}
	c := health.Condition{Type: health.Brokers, Message: fmt.Sprintf("no broker answers: %v", err)}
	if probed != nil {
		c.Message = probed.Error()
	}
	if probed != nil && IsRefused(probed) {
		c.Type, c.Lease = health.Login, refusedLease
		m.p.Conditions.Clear(health.Brokers, "")
	}
	m.p.Conditions.Set(c)
	m.done()
}

// Problems returns what is wrong with the topics of a role, in words; empty
// when nothing is.
func (m *Monitor) Problems(role Role) string {
	m.mu.Lock()
	looked := m.looked
	m.mu.Unlock()
	if !looked {
		return "not checked yet"
	}
	if text := m.p.Conditions.Text(health.Brokers, health.Login); text != "" {
		return text
	}
	var all []string
	if text := m.p.Conditions.Message(health.Producer, string(role)); text != "" {
		all = append(all, text)
	}
	for _, t := range m.p.Topics {
		if text := m.p.Conditions.Message(health.Topic, t.Topic); t.Role == role && text != "" {
			all = append(all, text)
		}
	}
	return strings.Join(all, "; ")
}
