package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/plural"
)

// CheckBrokers connects to each configured broker and to each broker that the
// cluster advertises, and reports reachability, certificate and version. A
// cluster may advertise addresses that this host cannot reach
// (advertised.listeners), so that only some partitions work.
func CheckBrokers(ctx context.Context, c *Config) []check.Result {
	conns := &connections{byAddress: make(map[string]tls.ConnectionState)}
	cl, err := c.newClient(conns)
	if err != nil {
		return []check.Result{check.Failedf("kafka", "correct the configuration", "%v", err)}
	}
	defer cl.Close()
	answers := requestVersions(ctx, c, conns, cl.SeedBrokers(), c.Brokers)
	own := c.checkOwnCertificate(time.Now())
	var up []string
	for _, a := range answers {
		if a.err == nil {
			up = append(up, a.address)
		}
	}
	switch {
	case len(up) == 0:
		return append(brokerResults(answers), own...)
	case len(up) < len(answers): // kgo would also use the brokers that are down
		reachable := *c
		reachable.Brokers = up
		if cl, err = reachable.newClient(conns); err != nil {
			return brokerResults(answers)
		}
		defer cl.Close()
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	md, err := kadm.NewClient(cl).BrokerMetadata(ctx)
	if err != nil {
		return append(brokerResults(answers), check.Failedf("cluster", "", "listing the brokers failed: %s", word(err)))
	}
	var more []*kgo.Broker
	var addresses []string
	for _, b := range md.Brokers {
		address := net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
		if i := slices.IndexFunc(answers, func(a answer) bool { return a.address == address }); i >= 0 {
			answers[i].id = b.NodeID
			continue
		}
		more, addresses = append(more, cl.Broker(int(b.NodeID))), append(addresses, address)
	}
	advertised := requestVersions(ctx, c, conns, more, addresses)
	for i := range advertised {
		advertised[i].advertised = true
	}
	answers = append(answers, advertised...)
	cluster := check.Okf("cluster", "%s, %s, controller %d", md.Cluster, plural.Count(len(md.Brokers), "broker"), md.Controller)
	return slices.Concat(brokerResults(answers), own, []check.Result{cluster}, features(answers))
}

// checkOwnCertificate reports problems of the client certificate.
func (c *Config) checkOwnCertificate(now time.Time) []check.Result {
	var found []check.Result
	for _, f := range c.TLS.CertificateProblems(now) {
		switch {
		case f.Of != ownCertificate: // brokerResults covers the brokers' certificates
		case f.Exit != 0:
			found = append(found, check.Failedf(f.Of, "replace it with a valid certificate", "%s", f.Text))
		default:
			found = append(found, check.Warnf(f.Of, "renew the certificate", "%s", f.Text))
		}
	}
	return found
}

func (c *Config) newClient(conns *connections) (*kgo.Client, error) {
	opts, err := c.Options("doctor", slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return nil, err
	}
	return kgo.NewClient(append(opts, kgo.WithHooks(conns))...)
}

// connections stores the states of TLS connections.
type connections struct {
	mu        sync.Mutex
	byAddress map[string]tls.ConnectionState
}

// OnBrokerConnect implements kgo.HookBrokerConnect.
func (s *connections) OnBrokerConnect(b kgo.BrokerMetadata, _ time.Duration, conn net.Conn, err error) {
	encrypted, ok := conn.(*tls.Conn)
	if err != nil || !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byAddress[net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))] = encrypted.ConnectionState()
}

// answer is one broker's response.
type answer struct {
	address    string
	id         int32 // negative: unknown
	advertised bool  // by the cluster, not configured
	took       time.Duration
	versions   *kmsg.ApiVersionsResponse
	tls        *tls.ConnectionState
	err        error
}

// requestVersions sends ApiVersions to the brokers concurrently.
func requestVersions(ctx context.Context, c *Config, conns *connections, brokers []*kgo.Broker, addresses []string) []answer {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	answers := make([]answer, len(brokers))
	var wg sync.WaitGroup
	for i, b := range brokers {
		wg.Go(func() {
			a := answer{address: addresses[i], id: -1}
			start := time.Now()
			resp, err := b.Request(ctx, apiVersions())
			a.took = time.Since(start)
			if err == nil {
				a.versions = resp.(*kmsg.ApiVersionsResponse)
			} else {
				a.err = brokerProblem(ctx, a.address, err, c)
			}
			conns.mu.Lock()
			if state, ok := conns.byAddress[a.address]; ok {
				a.tls = &state
			}
			conns.mu.Unlock()
			answers[i] = a
		})
	}
	wg.Wait()
	return answers
}

// brokerProblem returns why one broker does not answer.
func brokerProblem(ctx context.Context, address string, err error, c *Config) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return errors.New(dialReason(err))
	}
	one := *c
	one.Brokers = []string{address}
	return connectProblem(ctx, err, &one)
}

// brokerResults returns the results for each broker.
func brokerResults(answers []answer) []check.Result {
	var found []check.Result
	for _, a := range answers {
		subject := a.address
		if a.id >= 0 {
			subject = fmt.Sprintf("%s (broker %d)", a.address, a.id)
		}
		switch {
		case a.err != nil && a.advertised:
			found = append(found, check.Failedf(subject, "set advertised.listeners to an address that this host can reach, or fix the network",
				"%v; the cluster advertises this address", a.err))
			continue
		case a.err != nil:
			found = append(found, check.Failedf(subject, "start the broker, or correct kafka.brokers or the network", "%v", a.err))
			continue
		}
		found = append(found, check.Okf(subject, "answers after %d ms", a.took.Milliseconds()))
		if a.tls != nil {
			found = append(found, check.Certificate(subject, *a.tls, time.Now()))
		}
	}
	return found
}

// features reports the brokers' versions, and those that are not supported.
func features(answers []answer) []check.Result {
	const subject = "version"
	var found []check.Result
	var guesses []string
	for _, a := range answers {
		if a.versions == nil {
			continue
		}
		if v := guess(a.versions); !slices.Contains(guesses, v) {
			guesses = append(guesses, v)
			if text := tooOld(a.versions); text != "" {
				found = append(found, check.Failedf(subject, "upgrade the brokers", "%s", text))
			}
		}
	}
	switch {
	case len(guesses) == 0: // no broker answers
	case len(guesses) > 1:
		found = append(found, check.Warnf(subject, "finish the upgrade: until then, features that the oldest lacks may not work", "the brokers' versions differ: Kafka %s", strings.Join(guesses, " and ")))
	case len(found) == 0 && !released(guesses[0]):
		found = append(found, check.Okf(subject, "supports what the notifier needs, but is no release of Apache Kafka: the broker of 'dev', or another implementation"))
	case len(found) == 0:
		found = append(found, check.Okf(subject, "Kafka %s", guesses[0]))
	}
	return found
}
