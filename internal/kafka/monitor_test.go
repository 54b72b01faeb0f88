//go:build synctests

package kafka_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/health/brokers"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// monitored is a monitor on a fake clock, of a cluster behind a wire.
type monitored struct {
	*kafka.Monitor
	t          *testing.T
	c          *testkafka.Cluster
	wire       *testkafka.Wire
	conditions *health.Conditions
	reg        *prometheus.Registry
	ended      chan error

	mu    sync.Mutex
	text  strings.Builder
	probe error // what a new connection meets
}

// Write implements io.Writer, for the log.
func (m *monitored) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text.Write(p)
}

func (m *monitored) fails(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.probe = err
}

// lines counts those that contain all these words.
func (m *monitored) lines(words ...string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
next:
	for line := range strings.Lines(m.text.String()) {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue next
			}
		}
		n++
	}
	return n
}

// monitor starts one, on a cluster with which something was done before.
func monitor(t *testing.T, before ...func(*testkafka.Cluster)) *monitored {
	m := &monitored{t: t, c: testkafka.Virtual(t, channels), reg: prometheus.NewPedanticRegistry(), ended: make(chan error, 1)}
	for _, do := range before {
		do(m.c)
	}
	m.wire = m.c.Wire()
	log := slog.New(slog.NewTextHandler(m, nil))
	m.conditions = health.New(log, m.reg)
	var list []kafka.Monitored
	var names []string
	for _, s := range m.c.Shapes(channels) {
		list = append(list, kafka.Monitored{Topic: s.Topic, Role: s.Role})
		names = append(names, s.Topic)
	}
	m.Monitor = kafka.NewMonitor(kafka.MonitorParams{
		View: brokers.NewView(m.c.Client(kgo.Dialer(m.wire.Dial)), names...), Topics: list, Conditions: m.conditions, Registry: m.reg,
		Producers: map[kafka.Role]*kgo.Client{kafka.RoleDeadLetter: m.c.Client(kgo.Dialer(m.wire.Dial))},
		Probe: func(context.Context) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.probe
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { m.ended <- m.Run(ctx) }()
	t.Cleanup(cancel)
	time.Sleep(time.Second)
	return m
}

// available is the metric of a topic.
func (m *monitored) available(topic string) float64 {
	m.t.Helper()
	families, err := m.reg.Gather()
	if err != nil {
		m.t.Fatal(err)
	}
	for _, f := range families {
		for _, s := range f.GetMetric() {
			if f.GetName() == "notifier_topic_available" && s.GetLabel()[0].GetValue() == topic {
				return s.GetGauge().GetValue()
			}
		}
	}
	m.t.Fatalf("no metric of %s", topic)
	return 0
}

// names reports whether a message names each of these facts; without facts, whether
// there is no message.
func names(message string, facts ...string) bool {
	if len(facts) == 0 {
		return message == ""
	}
	return !slices.ContainsFunc(facts, func(fact string) bool { return !strings.Contains(message, fact) })
}

func TestTopicProblemsAreReported(t *testing.T) {
	dead := topics.DeadLetter("notification-service", topics.TradeExecutions)
	outbox := topics.Outbox("notification-service", "desk")
	rights := func(topic string, bits int32) func(*monitored) func() {
		return func(m *monitored) func() {
			var gone atomic.Bool
			m.c.Fake().ControlKey(int16(kmsg.Metadata), func(r kmsg.Request) (kmsg.Response, error, bool) {
				m.c.Fake().KeepControl()
				req := r.(*kmsg.MetadataRequest)
				if gone.Load() || !req.IncludeTopicAuthorizedOperations {
					return nil, nil, false
				}
				resp := req.ResponseKind().(*kmsg.MetadataResponse)
				for _, wanted := range req.Topics {
					answer := kmsg.NewMetadataResponseTopic()
					answer.Topic = wanted.Topic
					if *wanted.Topic == topic {
						answer.AuthorizedOperations = bits
					}
					resp.Topics = append(resp.Topics, answer)
				}
				return resp, nil, true
			})
			return func() { gone.Store(true) }
		}
	}
	const read, write, describe = 1 << 3, 1 << 4, 1 << 8
	for name, c := range map[string]struct {
		topic string
		role  kafka.Role
		spoil func(*monitored) (fix func())
		names []string // what the message has to name; nil: there is none
	}{
		"deleted": {string(topics.TradeExecutions), kafka.RoleSource, func(m *monitored) func() {
			m.c.Delete(string(topics.TradeExecutions))
			return func() {
				for _, s := range m.c.Shapes(channels) {
					if s.Topic == string(topics.TradeExecutions) {
						m.c.Make(s)
					}
				}
			}
		}, []string{"trade-executions", "'notifier topics create'"}},
		"not readable":             {string(topics.TradeExecutions), kafka.RoleSource, rights(string(topics.TradeExecutions), describe), []string{"READ on topic trade-executions"}},
		"outbox not writable":      {outbox, kafka.RoleOutbox, rights(outbox, read|describe), []string{"WRITE on topic " + outbox}},
		"dead letter not writable": {dead, kafka.RoleDeadLetter, rights(dead, read|describe), []string{"WRITE on topic " + dead}},
		"all is well":              {outbox, kafka.RoleOutbox, rights(outbox, read|write|describe), nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := monitor(t)
				if got := m.Problems(c.role); got != "" || m.available(c.topic) != 1 {
					t.Fatalf("it begins with %q", got)
				}
				fix := c.spoil(m)
				time.Sleep(5 * time.Minute)
				if got := m.Problems(c.role); !names(got, c.names...) {
					t.Errorf("readiness: %q, want %q in it", got, c.names)
				}
				if c.names == nil {
					return
				}
				if n := m.lines(append([]string{"level=ERROR", "topic unavailable"}, c.names...)...); n != 1 {
					t.Errorf("logged %d times", n)
				}
				if m.available(c.topic) != 0 || m.available(string(topics.PortfolioUpdates)) != 1 {
					t.Error("the metric is not the topic's")
				}
				fix()
				time.Sleep(10 * time.Second)
				if got := m.Problems(c.role); got != "" || m.available(c.topic) != 1 || m.lines("level=INFO", "topic available again", "topic="+c.topic) != 1 {
					t.Errorf("after the fix, readiness: %q", got)
				}
			})
		})
	}
}

func TestUnreachableBrokersAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := monitor(t)
		m.wire.Cut()
		const text = "connection refused" // the probe's text is passed on
		m.fails(&kafka.Problem{Exit: kafka.ExitUnavailable, Text: text})
		time.Sleep(time.Hour)
		if got := m.Problems(kafka.RoleSource); got != text {
			t.Errorf("readiness: %q", got)
		}
		if n := m.lines("level=ERROR", "brokers unreachable", text); n != 1 {
			t.Errorf("logged %d times in an hour", n)
		}
		if n := testutil.CollectAndCount(m.reg, "notifier_condition"); n == 0 {
			t.Error("no metric")
		}
		select {
		case err := <-m.ended:
			t.Fatalf("it does not wait: %v", err)
		default:
		}
		m.wire.Restore()
		m.fails(nil)
		time.Sleep(20 * time.Second)
		if got := m.Problems(kafka.RoleSource); got != "" || m.lines("level=INFO", "brokers reachable again") != 1 {
			t.Errorf("after the fix, readiness: %q", got)
		}
	})
}

// TestRejectedCredentialsEndDaemon: what looks like a refusal,
// or is one for less than a minute, does not.
func TestRejectedCredentialsEndDaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := monitor(t)
		m.wire.Cut()
		m.fails(&kafka.Problem{Exit: kafka.ExitDenied, Text: "it closed the connection during authentication"})
		time.Sleep(5 * time.Minute)
		m.fails(kafka.LoginRefused("10.0.0.1:9092", "SCRAM-SHA-512"))
		time.Sleep(40 * time.Second)
		m.fails(&kafka.Problem{Exit: kafka.ExitUnavailable, Text: "starting"})
		time.Sleep(5 * time.Minute)
		select {
		case err := <-m.ended:
			t.Fatalf("it ended: %v", err)
		default:
		}
		m.fails(kafka.LoginRefused("10.0.0.1:9092", "SCRAM-SHA-512"))
		began := time.Now()
		err := <-m.ended
		var p *kafka.Problem
		if !errors.As(err, &p) || p.ExitCode() != 77 || !names(p.Text, "10.0.0.1:9092", "SCRAM-SHA-512", "kafka.sasl") {
			t.Errorf("it ended with %v", err)
		}
		if d := time.Since(began); d < time.Minute || d > 90*time.Second {
			t.Errorf("after %s", d)
		}
		if m.lines("level=ERROR", "authentication failed", "check kafka.sasl") == 0 {
			t.Error("the log does not say so")
		}
	})
}

// TestProbeDistinguishesRejectedCredentials uses a broker's own answer.
func TestProbeDistinguishesRejectedCredentials(t *testing.T) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", "alice", "right"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	config := kafka.Defaults()
	config.Brokers = fake.ListenAddrs()
	config.SASL = kafka.SASL{Mechanism: "PLAIN", Username: secret.New("alice"), Password: secret.New("right")}
	if err := reach(t, &config); err != nil {
		t.Fatal(err)
	}
	// As Kafka answers; kfake by itself closes the connection.
	fake.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		text := "Authentication failed: Invalid username or password"
		resp.ErrorCode, resp.ErrorMessage = 58, &text
		return resp, nil, true
	})
	assertProblem(t, reach(t, &config), 77, "ADDR rejected username and password (PLAIN): check kafka.sasl", config.Brokers[0])
	if err := reach(t, &config); !kafka.IsRefused(err) {
		t.Errorf("it is not known for a refusal: %v", err)
	}
}

// TestRefusedProducerIDEndsDaemon: the client keeps the first such
// answer and does not ask again.
func TestRefusedProducerIDEndsDaemon(t *testing.T) {
	refuse := func(with *kerr.Error, times int) func(*testkafka.Cluster) {
		return func(c *testkafka.Cluster) {
			c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, Err: with, Count: times})
		}
	}
	for name, c := range map[string]struct {
		answer *kerr.Error
		exit   int
		remedy string
	}{
		"it failed": {kerr.UnknownServerError, 69, "check the brokers"},
		"denied":    {kerr.ClusterAuthorizationFailed, 77, "grant WRITE"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				m := monitor(t, refuse(c.answer, 1))
				problem := m.Problems(kafka.RoleDeadLetter)
				if !names(problem, c.answer.Message, c.remedy) {
					t.Errorf("readiness: %q, want %s and %q in it", problem, c.answer.Message, c.remedy)
				}
				if got := m.Problems(kafka.RoleOutbox); got != "" {
					t.Errorf("another producer: %q", got)
				}
				err := <-m.ended
				assertProblem(t, err, c.exit, problem, "")
				if d := time.Since(began); d < kafka.ProducerRefusedAfter || d > 2*kafka.ProducerRefusedAfter {
					t.Errorf("it ended after %s", d)
				}
				if m.lines("level=ERROR", "producer id refused", c.answer.Message) != 1 {
					t.Error("the log does not say so once")
				}
			})
		})
	}
	t.Run("asked again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := monitor(t, refuse(kerr.CoordinatorLoadInProgress, 30))
			time.Sleep(5 * time.Minute)
			select {
			case err := <-m.ended:
				t.Fatalf("it ended: %v", err)
			default:
			}
			if got := m.Problems(kafka.RoleDeadLetter); got != "" || m.lines("producer id refused") > 0 {
				t.Errorf("readiness: %q", got)
			}
		})
	})
}
