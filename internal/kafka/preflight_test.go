package kafka_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// assertProblem holds the whole sentence and the exit code. ADDR in want
// stands for the broker's address.
func assertProblem(t *testing.T, err error, exit int, want, addr string) {
	t.Helper()
	var p *kafka.Problem
	if !errors.As(err, &p) {
		t.Fatalf("got %v, want a problem", err)
	}
	if want = strings.ReplaceAll(want, "ADDR", addr); p.Text != want || p.ExitCode() != exit {
		t.Errorf("got %d: %s\nwant %d: %s", p.ExitCode(), p.Text, exit, want)
	}
}

func reach(t *testing.T, c *kafka.Config) error {
	t.Helper()
	opts, err := c.Options("test", slogDiscard, nil)
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	return kafka.Reach(t.Context(), cl, c)
}

// talker answers each connection with what talk does.
func talker(t *testing.T, talk func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go talk(conn)
		}
	}()
	return l.Addr().String()
}

func certificate(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

func TestConnectionProblemsAreExplained(t *testing.T) {
	plain, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plain.Close)
	login, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", "alice", "right"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(login.Close)
	encrypted, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(certificate(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(encrypted.Close)
	web := talker(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1024))
		_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
		_ = c.Close()
	})
	mute := talker(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	_ = closed.Close()

	user := func(password string) func(*kafka.Config) {
		return func(c *kafka.Config) {
			c.SASL = kafka.SASL{Mechanism: "PLAIN", Username: secret.New("alice"), Password: secret.New(password)}
		}
	}
	overTLS := func(c *kafka.Config) { c.TLS.Enabled = true }
	for name, c := range map[string]struct {
		addr   string
		change func(*kafka.Config)
		exit   int
		want   string // empty: it can be reached
	}{
		"reachable":           {plain.ListenAddrs()[0], nil, 0, ""},
		"logged in":           {login.ListenAddrs()[0], user("right"), 0, ""},
		"nobody there":        {nobody, nil, 69, "no broker can be reached: ADDR: connection refused; check kafka.brokers"},
		"unknown name":        {"no-such-host.invalid:9092", nil, 69, "no broker can be reached: no-such-host.invalid:9092: no such host; check kafka.brokers"},
		"not a broker":        {web, nil, 78, "ADDR is not a Kafka broker: its response is invalid"},
		"silent":              {mute, nil, 69, "ADDR accepts connections but does not respond: check that it is a Kafka broker and has started"},
		"TLS where none is":   {web, overTLS, 78, "ADDR does not support TLS on this port: set kafka.tls.enabled to false, or use the TLS port"},
		"none where TLS is":   {encrypted.ListenAddrs()[0], nil, 78, "ADDR closed the connection before its first response: it may require TLS or SASL; see kafka.tls and kafka.sasl"},
		"unknown certificate": {encrypted.ListenAddrs()[0], overTLS, 78, "ADDR presents a certificate signed by an unknown authority: serial number 1, signed by itself; the system does not trust it: set kafka.tls.ca to a file with its certificate"},
		"wrong password":      {login.ListenAddrs()[0], user("wrong"), 77, "ADDR closed the connection during authentication (PLAIN): check username and password in kafka.sasl"},
		"login missing":       {login.ListenAddrs()[0], nil, 78, "ADDR closed the connection before its first response: it may require SASL; see kafka.sasl"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := kafka.Defaults()
			config.Brokers = []string{c.addr}
			if c.change != nil {
				c.change(&config)
			}
			err := reach(t, &config)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			assertProblem(t, err, c.exit, c.want, c.addr)
		})
	}
}

// TestEchoedLoginIsNotShown: what it answers to a login it does not
// take is its own text.
func TestEchoedLoginIsNotShown(t *testing.T) {
	const password = "hunter22-p@ss&word"
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", "alice", "another"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	var spelled func(string) string
	c.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		resp := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		message := "no: " + spelled(string(r.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes))
		resp.ErrorCode, resp.ErrorMessage = kerr.IllegalGeneration.Code, &message
		return resp, nil, true
	})
	config := kafka.Defaults()
	config.Brokers = c.ListenAddrs()
	config.SASL = kafka.SASL{Mechanism: "PLAIN", Username: secret.New("alice"), Password: secret.New(password)}
	for _, s := range channeltest.Encodings {
		spelled = s.Encode
		texts := []string{reach(t, &config).Error()}
		for _, f := range kafka.CheckBrokers(t.Context(), &config) {
			texts = append(texts, f.Subject+" "+f.Message+" "+f.Remedy)
		}
		for _, text := range texts {
			if written, shown := channeltest.FindSecret(text, password); shown {
				t.Errorf("%s: shown is %s in %s", s.Name, written, text)
			}
		}
		if !strings.Contains(texts[0], "connection failed: ") || !strings.Contains(texts[0], "[redacted]") {
			t.Errorf("%s: %s", s.Name, texts[0])
		}
	}
}

func TestWaitReachableEndsWhenBrokerStarts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	config := kafka.Defaults()
	config.Brokers = []string{addr}
	opts, err := config.Options("test", slogDiscard, nil)
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	started := make(chan *kfake.Cluster, 1)
	err = kafka.WaitReachable(t.Context(), cl, &config, 30*time.Second, func(err error) {
		assertProblem(t, err, 69, "no broker can be reached: ADDR: connection refused; check kafka.brokers", addr)
		fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(func(string, string) (net.Listener, error) { return net.Listen("tcp", addr) }))
		if err != nil {
			t.Error(err)
			return
		}
		started <- fake
	})
	if err != nil {
		t.Fatal(err)
	}
	(<-started).Close()
	err = kafka.WaitReachable(t.Context(), cl, &config, time.Millisecond, func(error) {})
	assertProblem(t, err, 69, "no broker can be reached: ADDR: connection refused; check kafka.brokers", addr)
}

func preflight(t *testing.T, c *testkafka.Cluster) ([]check.Result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	return kafka.Preflight(ctx, c.Admin, configOf(c), c.Shapes(channels))
}

func configOf(c *testkafka.Cluster) *kafka.Config {
	return &kafka.Config{Brokers: c.Brokers, Group: c.Group}
}

var channels = []kafka.Channel{{Name: "desk", Partitions: 1}}

func TestPreflightReportsMissingTopics(t *testing.T) {
	c := testkafka.Start(t, channels)
	if results, err := preflight(t, c); err != nil || check.Count(results, check.OK) != len(results) {
		t.Fatalf("%v %v", results, err)
	}
	c.Delete(string(topics.ForwardTestEvents))
	_, err := preflight(t, c)
	assertProblem(t, err, 69, "missing topics: [forward-test-events]: run 'notifier topics create'", "")
	c.Delete(topics.Outbox(c.Group, "desk"))
	_, err = preflight(t, c)
	assertProblem(t, err, 69, "missing topics: [forward-test-events, "+c.Group+".outbox.desk]: run 'notifier topics create'", "")
}

func TestPreflightReportsMisconfiguredTopics(t *testing.T) {
	c := testkafka.Bare(t)
	shapes := c.Shapes(channels)
	dead, outbox := topics.DeadLetter(c.Group, topics.TradeExecutions), topics.Outbox(c.Group, "desk")
	for i, s := range shapes {
		switch s.Topic {
		case dead:
			shapes[i].Configs = map[string]string{"cleanup.policy": "delete", "max.message.bytes": "1000"}
		case outbox:
			shapes[i].Partitions = 2
		case string(topics.PortfolioUpdates):
			shapes[i].Partitions = 4
			shapes[i].Configs = map[string]string{"retention.ms": "3600000"}
		}
	}
	c.Make(shapes...)
	results, err := preflight(t, c)
	var p *kafka.Problem
	if !errors.As(err, &p) || p.ExitCode() != kafka.ExitConfig {
		t.Fatal(err)
	}
	type row struct {
		status          check.Status
		subject, remedy string
	}
	var rows []row
	for _, r := range results {
		_, setting, _ := strings.Cut(r.Remedy, "--add-config ")
		rows = append(rows, row{r.Status, r.Subject, setting})
	}
	for _, want := range []row{
		{check.Failed, dead, "cleanup.policy=compact"},
		{check.Failed, dead, "max.message.bytes=2162688"},
		{check.Failed, outbox, ""},
		{check.Warning, string(topics.PortfolioUpdates), "retention.ms=604800000"},
		{check.Warning, string(topics.TradeExecutions), ""}, // the sources differ
	} {
		if !slices.Contains(rows, want) {
			t.Errorf("%v is not among %v", want, rows)
		}
	}
	for _, r := range results {
		if r.Status == check.Failed && !strings.Contains(p.Text, "topic "+r.Subject+": "+r.Message) {
			t.Errorf("the problem does not say %q: %s", r.Message, p.Text)
		}
	}
}

func TestPreflightReportsMissingRights(t *testing.T) {
	if testkafka.Bare(t).Real() {
		t.Log("the node of make test-real has no ACLs; kfake has")
		return
	}
	c := testkafka.Start(t, channels)
	denied := c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: string(topics.TradeExecutions), Err: kerr.TopicAuthorizationFailed, Count: -1})
	_, err := preflight(t, c)
	assertProblem(t, err, 77, "not authorised: READ on topic trade-executions; our own topics share a prefix, so one prefixed ACL covers them", "")
	denied.Remove()
	c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeGroups}, Group: c.Group, Err: kerr.GroupAuthorizationFailed, Count: -1})
	_, err = preflight(t, c)
	assertProblem(t, err, 77, "not authorised: READ on group "+c.Group+"; our own topics share a prefix, so one prefixed ACL covers them", "")
}

func TestMissingReportsUnauthorisedTopics(t *testing.T) {
	if testkafka.Bare(t).Real() {
		t.Log("the node of make test-real has no ACLs; kfake has")
		return
	}
	c := testkafka.Start(t, channels)
	for _, topic := range []topics.Name{topics.TradeExecutions, topics.PortfolioUpdates} {
		c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: string(topic), Err: kerr.TopicAuthorizationFailed, Count: -1})
	}
	missing, err := kafka.Missing(t.Context(), c.Admin, c.Shapes(channels))
	assertProblem(t, err, 77, "not authorized to describe topics [trade-executions, portfolio-updates]: grant DESCRIBE on them, or on the prefix", "")
	if len(missing) > 0 {
		t.Error(missing)
	}
}

func TestCreateIsIdempotent(t *testing.T) {
	c := testkafka.Bare(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	want, err := kafka.ClusterShapes(ctx, c.Admin, kafka.Layout{Group: c.Group, Channels: channels})
	if err != nil {
		t.Fatal(err)
	}
	missing, err := kafka.Missing(ctx, c.Admin, want)
	if err != nil || len(missing) != 10 {
		t.Fatalf("%d missing, %v", len(missing), err)
	}
	for range 2 {
		if err := kafka.Create(ctx, c.Admin, missing); err != nil {
			t.Fatal(err)
		}
	}
	if err := kafka.WaitUsable(ctx, c.Admin, missing, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	missing, err = kafka.Missing(ctx, c.Admin, want)
	if err != nil || len(missing) != 0 {
		t.Fatalf("%v missing, %v", missing, err)
	}
	checks := kafka.Checks{Admin: c.Admin, Config: configOf(c), Want: want}
	if results, err := checks.Topics(ctx); err != nil || check.Count(results, check.OK) != len(results) {
		t.Errorf("what was made is not as it should be: %v, %v", results, err)
	}
}
