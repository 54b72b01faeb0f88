package daemon_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/daemon"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/obs/admin"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

const rules = `
version: 1
rules:
  - {name: every, topic: trade-executions, when: event.alert == true, to: [hook], title: "{{ event.n }}"}
`

// taking is a channel that takes everything.
type taking struct{}

// Send implements channel.Channel.
func (taking) Send(context.Context, channel.Message) (channel.Receipt, error) {
	return channel.Receipt{}, nil
}

func configFor(t *testing.T, group string, brokers ...string) daemon.Config {
	t.Helper()
	set, faults := rule.Compile("rules.yaml", []byte(rules), rule.Environment{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	c := daemon.Config{
		Kafka: kafka.Defaults(), Events: event.Defaults(), Rules: set, MaxReplays: 3, Tracing: tracing.Defaults(), Drain: 5 * time.Second,
		Channels: []daemon.Channel{{Name: "hook", Channel: taking{}, Dispatch: dispatch.Config{
			Concurrency: 1, Partitions: 1, Timeout: time.Second, Retry: dispatch.DefaultRetry(), Breaker: dispatch.DefaultBreaker(), Ambiguous: dispatch.Resend,
		}}},
	}
	c.Kafka.Group, c.Kafka.Brokers = group, brokers
	return c
}

func newDaemon(t *testing.T, c daemon.Config, d daemon.Deps) *daemon.Daemon {
	t.Helper()
	n, err := daemon.New(c, d)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// silent listens as a broker does and never answers. contacted is closed at the first
// request.
func silent(t *testing.T) (address string, contacted <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	c := make(chan struct{})
	first := sync.OnceFunc(func() { close(c) })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := io.ReadFull(conn, make([]byte, 4)); err == nil {
					first()
				}
				_, _ = io.Copy(io.Discard, conn)
			}()
		}
	}()
	return l.Addr().String(), c
}

// TestStopDuringStartEndsAtOnce: brokers that do not answer are not waited for,
// neither by the look at the cluster nor by the lookup of the outbox topics.
func TestStopDuringStartEndsAtOnce(t *testing.T) {
	address, contacted := silent(t)
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 1}})
	address2, contacted2 := silent(t)
	for name, start := range map[string]struct {
		brokers   []string
		options   func(role string) []kgo.Opt
		contacted <-chan struct{}
	}{
		"preflight": {brokers: []string{address}, contacted: contacted},
		"outboxes": {brokers: c.Brokers, contacted: contacted2, options: func(role string) []kgo.Opt {
			if role != "outbox" {
				return nil
			}
			return []kgo.Opt{kgo.Dialer(func(ctx context.Context, network, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, network, address2)
			})}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			n := newDaemon(t, configFor(t, c.Group, start.brokers...), daemon.Deps{Logger: slog.New(slog.NewTextHandler(&log, nil)), KafkaOptions: start.options})
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- n.Run(ctx) }()
			select {
			case <-start.contacted:
			case err := <-ended:
				t.Fatalf("it ended by itself: %v", err)
			}
			if err := n.Live(); err != nil {
				t.Errorf("a daemon that starts is not live: %v", err)
			}
			if components := n.Ready(); len(components) != 1 || components[0].OK || !components[0].Decides {
				t.Errorf("a starting daemon reports %+v", components)
			}
			cancel()
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("a stop is an error: %v", err)
				}
			case <-time.After(5 * time.Second): // less than either wait takes: 8 and 10 s
				t.Fatal("it continues after the stop")
			}
			if !strings.Contains(log.String(), "stopped before start was complete") {
				t.Errorf("it logged %s", log.String())
			}
		})
	}
}

// TestDaemonRunsWithoutServer: it starts, is ready, sends, and stops.
func TestDaemonRunsWithoutServer(t *testing.T) {
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 1}})
	started := make(chan string, 1)
	reg := prometheus.NewRegistry()
	n := newDaemon(t, configFor(t, c.Group, c.Brokers...), daemon.Deps{
		Logger: slog.New(slog.DiscardHandler), Registry: reg, Started: func(http string) { started <- http },
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	if http := <-started; http != "" {
		t.Errorf("it serves on %q", http)
	}
	testkafka.Eventually(t, 30*time.Second, "it is ready", func() bool {
		return !slices.ContainsFunc(n.Ready(), func(c admin.Component) bool { return c.Decides && !c.OK })
	})
	c.Produce(&kgo.Record{Topic: string(topics.TradeExecutions), Value: []byte(`{"alert":true,"n":1}`)})
	testkafka.Eventually(t, 30*time.Second, "the alert is settled", func() bool {
		return c.Lag(c.Group) == 0 && c.Lag(topics.OutboxGroup(c.Group)) == 0
	})
	if err := n.Live(); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestCertificateThatCannotBeReadIsRefused by New, with the exit code of a
// configuration that is wrong.
func TestCertificateThatCannotBeReadIsRefused(t *testing.T) {
	c := configFor(t, "notification-service", "127.0.0.1:1")
	c.Kafka.TLS.Enabled, c.Kafka.TLS.CA = true, filepath.Join(t.TempDir(), "none.pem")
	_, err := daemon.New(c, daemon.Deps{Logger: slog.New(slog.DiscardHandler)})
	var p *kafka.Problem
	if !errors.As(err, &p) || p.Exit != kafka.ExitConfig {
		t.Errorf("New returns %v", err)
	}
}
