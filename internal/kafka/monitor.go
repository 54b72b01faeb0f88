package kafka

import (
	"context"
	"fmt"
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

// Role is the purpose of a topic.
type Role string

// The roles, which are also components of /readyz.
const (
	RoleSource     Role = "topics"
	RoleDeadLetter Role = "dead letters"
	RoleOutbox     Role = "outboxes"
	RoleReplay     Role = "replays"
	RoleDeliveries Role = "delivery log"
	RoleState      Role = "state"
)

// written reports whether the daemon writes to topics of this role.
func (r Role) written() bool {
	return r == RoleDeadLetter || r == RoleOutbox || r == RoleDeliveries || r == RoleState
}

// Monitored is a topic that must exist, and be writable if the daemon writes to it.
type Monitored struct {
	Topic string
	Role  Role
}

// MonitorInterval is the interval of the checks.
const MonitorInterval = 2 * time.Second

// Monitor checks the topics that the daemon needs, the brokers and the credentials.
// kgo does not report deleted topics, unreachable brokers and rejected passwords.
type Monitor struct {
	p         MonitorParams
	available *prometheus.GaugeVec

	mu      sync.Mutex
	refused map[Role]*Problem // of producers without an id
	checked bool
}

// MonitorParams is what a Monitor needs.
type MonitorParams struct {
	View   *brokers.View
	Topics []Monitored
	// Probe makes a new connection and returns why it fails. It is called when no
	// broker answers.
	Probe      func(context.Context) error
	Producers  map[Role]*kgo.Client // by the topics they write to
	TLS        *TLS                 // whose certificates are checked; nil: none
	Conditions *health.Conditions
	Registry   prometheus.Registerer
}

// NewMonitor returns a monitor.
func NewMonitor(p MonitorParams) *Monitor {
	m := &Monitor{
		p: p,
		available: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "notifier_topic_available", Help: "1 while the topic exists and is usable.",
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

// RefusedAfter is how long brokers must reject the credentials before Run returns.
const RefusedAfter = time.Minute

// refusedLease is how long the condition holds after the last rejection.
const refusedLease = 30 * time.Second

// Run checks every MonitorInterval until ctx ends. It returns a *Problem when the
// brokers have rejected the credentials for RefusedAfter, or refused a producer an id
// for ProducerRefusedAfter.
func (m *Monitor) Run(ctx context.Context) error {
	tick := time.NewTicker(MonitorInterval)
	defer tick.Stop()
	for {
		m.check(ctx)
		if m.p.TLS != nil {
			m.p.TLS.watch(time.Now())
		}
		if c, lasted := m.p.Conditions.Longest(health.Login); lasted >= RefusedAfter {
			return problemf(ExitDenied, "credentials rejected for %s: %s", RefusedAfter, c.Message)
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

func (m *Monitor) check(ctx context.Context) {
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
	m.checkProducers(ctx)
	m.p.Conditions.Clear(health.Brokers, "")
	m.p.Conditions.Clear(health.Login, "")
	m.done()
}

// done records that a check is complete.
func (m *Monitor) done() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.checked = true
}

func problem(t Monitored, d kadm.TopicDetail) string {
	switch {
	case d.Err == kerr.UnknownTopicOrPartition:
		return fmt.Sprintf("topic %s is missing: run 'notifier topics create'", t.Topic)
	case IsDenied(d.Err):
		return fmt.Sprintf("topic %s: DESCRIBE is not authorised; grant it on the topic or on the prefix", t.Topic)
	case d.Err != nil:
		return fmt.Sprintf("topic %s: %s", t.Topic, word(d.Err))
	}
	for _, p := range d.Partitions.Sorted() {
		if p.Leader < 0 {
			return fmt.Sprintf("topic %s, partition %d has no leader: start a broker that has a replica", t.Topic, p.Partition)
		}
	}
	if rights := lacks(d.AuthorizedOperations, Shape{Topic: t.Topic, Role: t.Role}); len(rights) > 0 {
		return fmt.Sprintf("not authorised: %s; grant it on the topic or on the prefix", strings.Join(rights, ", "))
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

// noBroker sets the condition with the probe's error. Only an explicit rejection
// counts as Login: a broker that stops also closes connections during the login.
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

// Problems describes the problems of a role's topics; empty: none.
func (m *Monitor) Problems(role Role) string {
	m.mu.Lock()
	checked := m.checked
	m.mu.Unlock()
	if !checked {
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
