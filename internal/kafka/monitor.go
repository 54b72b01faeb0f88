package kafka

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
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

// MonitorInterval is how often topics are looked at.
const MonitorInterval = 2 * time.Second

// Monitor looks at the topics that the daemon needs, again and again: kgo says
// nothing about one that goes missing.
type Monitor struct {
	admin     *kadm.Client
	topics    []Monitored
	log       *slog.Logger
	available *prometheus.GaugeVec

	mu       sync.Mutex
	problems map[string]string // topic → what is wrong
	broker   string            // why no broker answers; empty: one does
	looked   bool
}

// NewMonitor returns a monitor of these topics.
func NewMonitor(admin *kadm.Client, topics []Monitored, log *slog.Logger, reg prometheus.Registerer) *Monitor {
	m := &Monitor{
		admin: admin, topics: topics, log: log.With("component", "monitor"),
		available: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "notifier_topic_available", Help: "1 while the topic is there and can be used.",
		}, []string{"topic"}),
		problems: make(map[string]string),
	}
	if reg != nil {
		reg.MustRegister(m.available)
	}
	return m
}

// Run looks every MonitorInterval until ctx ends.
func (m *Monitor) Run(ctx context.Context) error {
	tick := time.NewTicker(MonitorInterval)
	defer tick.Stop()
	for {
		m.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (m *Monitor) look(ctx context.Context) {
	for _, t := range m.topics {
		detail, err := lookUp(ctx, m.admin, t.Topic)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			m.noBroker(err)
			return
		}
		m.note(t, problem(t, detail))
	}
	m.mu.Lock()
	m.broker, m.looked = "", true
	m.mu.Unlock()
}

func problem(t Monitored, d kadm.TopicDetail) string {
	switch {
	case d.Err == kerr.UnknownTopicOrPartition:
		return fmt.Sprintf("topic %s is missing: run 'notifier topics create'", t.Topic)
	case isDenied(d.Err):
		return fmt.Sprintf("topic %s is forbidden: DESCRIBE is not allowed", t.Topic)
	case d.Err != nil:
		return fmt.Sprintf("topic %s: %s", t.Topic, word(d.Err))
	}
	for _, p := range d.Partitions.Sorted() {
		if p.Leader < 0 {
			return fmt.Sprintf("topic %s, partition %d has no leader", t.Topic, p.Partition)
		}
	}
	if ops := d.AuthorizedOperations; len(ops) > 0 && t.Role.written() && !slices.Contains(ops, kmsg.ACLOperationWrite) && !slices.Contains(ops, kmsg.ACLOperationAll) {
		return fmt.Sprintf("topic %s cannot be written: WRITE is not allowed", t.Topic)
	}
	return ""
}

func (m *Monitor) note(t Monitored, problem string) {
	m.mu.Lock()
	old := m.problems[t.Topic]
	m.problems[t.Topic] = problem
	m.mu.Unlock()
	if problem == "" {
		m.available.WithLabelValues(t.Topic).Set(1)
	} else {
		m.available.WithLabelValues(t.Topic).Set(0)
	}
	switch {
	case problem != "" && problem != old:
		m.log.Error("topic unavailable", "topic", t.Topic, "problem", problem)
	case problem == "" && old != "":
		m.log.Info("topic available again", "topic", t.Topic)
	}
}

func (m *Monitor) noBroker(err error) {
	m.mu.Lock()
	first := m.broker == ""
	m.broker, m.looked = "no broker answers", true
	m.mu.Unlock()
	if first {
		m.log.Error("no broker answers", "err", err)
	}
}

// Problems returns what is wrong with the topics of a role, in words; empty
// when nothing is.
func (m *Monitor) Problems(role Role) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.looked {
		return "not looked at yet"
	}
	if m.broker != "" {
		return m.broker
	}
	var all []string
	for _, t := range m.topics {
		if p := m.problems[t.Topic]; t.Role == role && p != "" {
			all = append(all, p)
		}
	}
	return strings.Join(all, "; ")
}
