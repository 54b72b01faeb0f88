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
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/algotrade/notifier/internal/check"
)

// LookAtBrokers connects to each broker by itself, those that the configuration
// names and those that the cluster names, and says of each whether it answers,
// what it is, and until when its certificate holds. A cluster may name addresses
// that only others can reach (advertised.listeners): then some partitions work
// and some do not.
func LookAtBrokers(ctx context.Context, c *Config) []check.Result {
	seen := &connections{byAddress: make(map[string]tls.ConnectionState)}
	cl, err := c.watched(seen)
	if err != nil {
		return []check.Result{check.Failedf("kafka", "correct the configuration", "%v", err)}
	}
	defer cl.Close()
	answers := ask(ctx, c, seen, cl.SeedBrokers(), c.Brokers)
	own := c.ownCertificate(time.Now())
	var up []string
	for _, a := range answers {
		if a.err == nil {
			up = append(up, a.address)
		}
	}
	switch {
	case len(up) == 0:
		return append(findings(answers), own...)
	case len(up) < len(answers): // kgo would ask one that is down, now and then
		answering := *c
		answering.Brokers = up
		if cl, err = answering.watched(seen); err != nil {
			return findings(answers)
		}
		defer cl.Close()
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	md, err := kadm.NewClient(cl).BrokerMetadata(ctx)
	if err != nil {
		return append(findings(answers), check.Failedf("cluster", "", "its brokers cannot be listed: %s", word(err)))
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
	named := ask(ctx, c, seen, more, addresses)
	for i := range named {
		named[i].named = true
	}
	answers = append(answers, named...)
	cluster := check.Okf("cluster", "%s, %s, controller %d", md.Cluster, count(len(md.Brokers), "broker"), md.Controller)
	return slices.Concat(findings(answers), own, []check.Result{cluster}, features(answers))
}

// ownCertificate says what is wrong with the certificate that we show.
func (c *Config) ownCertificate(now time.Time) []check.Result {
	var found []check.Result
	for _, f := range c.TLS.Findings(now) {
		switch {
		case f.Of != "kafka.tls.cert": // a broker's, of which its connection told
		case f.Exit != 0:
			found = append(found, check.Failedf(f.Of, "put a valid one there", "%s", f.Text))
		default:
			found = append(found, check.Warnf(f.Of, "have it renewed", "%s", f.Text))
		}
	}
	return found
}

func (c *Config) watched(seen *connections) (*kgo.Client, error) {
	opts, err := c.Options("doctor", slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return nil, err
	}
	return kgo.NewClient(append(opts, kgo.WithHooks(seen))...)
}

// connections keeps what encrypted connections showed.
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

// answer is what one broker said.
type answer struct {
	address  string
	id       int32 // below zero: not known
	named    bool  // by the cluster, not by the configuration
	took     time.Duration
	versions *kmsg.ApiVersionsResponse
	tls      *tls.ConnectionState
	err      error
}

// ask asks brokers at once what they are.
func ask(ctx context.Context, c *Config, seen *connections, brokers []*kgo.Broker, addresses []string) []answer {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	answers := make([]answer, len(brokers))
	var wg sync.WaitGroup
	for i, b := range brokers {
		wg.Go(func() {
			a := answer{address: addresses[i], id: -1}
			began := time.Now()
			req := kmsg.NewPtrApiVersionsRequest()
			req.ClientSoftwareName, req.ClientSoftwareVersion = "notifier", "1"
			resp, err := b.Request(ctx, req)
			a.took = time.Since(began)
			if err == nil {
				a.versions = resp.(*kmsg.ApiVersionsResponse)
			} else {
				a.err = brokerProblem(ctx, a.address, err, c)
			}
			seen.mu.Lock()
			if state, ok := seen.byAddress[a.address]; ok {
				a.tls = &state
			}
			seen.mu.Unlock()
			answers[i] = a
		})
	}
	wg.Wait()
	return answers
}

// brokerProblem says why one broker does not answer.
func brokerProblem(ctx context.Context, address string, err error, c *Config) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return errors.New(dialReason(address, err))
	}
	one := *c
	one.Brokers = []string{address}
	return connectProblem(ctx, err, &one)
}

// findings says of each broker what it answered.
func findings(answers []answer) []check.Result {
	var found []check.Result
	for _, a := range answers {
		subject := a.address
		if a.id >= 0 {
			subject = fmt.Sprintf("%s (broker %d)", a.address, a.id)
		}
		switch {
		case a.err != nil && a.named:
			found = append(found, check.Failedf(subject, "have its advertised.listeners name an address that this host reaches, or mend the way there",
				"%v; the cluster names this address", a.err))
			continue
		case a.err != nil:
			found = append(found, check.Failedf(subject, "start it, or correct kafka.brokers and what leads there", "%v", a.err))
			continue
		}
		found = append(found, check.Okf(subject, "answers after %d ms", a.took.Milliseconds()))
		if a.tls != nil {
			found = append(found, check.Certificate(subject, *a.tls, time.Now()))
		}
	}
	return found
}

// wanted are the requests whose versions carry what we build on.
var wanted = []struct {
	key     kmsg.Key
	version int16
	without string
}{
	{kmsg.Fetch, 13, "topics have no ids (before Kafka 3.1): a topic that is made anew is not recognised, and repeats are not dropped"},
	{kmsg.Metadata, 8, "rights cannot be looked up (before Kafka 2.3)"},
	{kmsg.JoinGroup, 5, "no static membership (before Kafka 2.3): kafka.instance_id has no effect"},
}

// features says what the brokers are, and what they cannot do that we would use.
func features(answers []answer) []check.Result {
	var found []check.Result
	var guesses []string
	lacking := make(map[string]bool)
	for _, a := range answers {
		if a.versions == nil {
			continue
		}
		guess := kversion.FromApiVersionsResponse(a.versions).VersionGuess()
		if !slices.Contains(guesses, guess) {
			guesses = append(guesses, guess)
		}
		for _, w := range wanted {
			i := slices.IndexFunc(a.versions.ApiKeys, func(k kmsg.ApiVersionsResponseApiKey) bool { return k.ApiKey == w.key.Int16() })
			if i < 0 || a.versions.ApiKeys[i].MaxVersion < w.version {
				lacking[w.without] = true
			}
		}
	}
	const subject = "version"
	if len(guesses) > 1 {
		found = append(found, check.Warnf(subject, "finish the upgrade: while they differ, what the oldest cannot do may not work", "the brokers differ: Kafka %s", strings.Join(guesses, " and ")))
	} else {
		found = append(found, check.Okf(subject, "Kafka %s", strings.Join(guesses, "")))
	}
	for _, w := range wanted {
		if lacking[w.without] {
			found = append(found, check.Warnf(subject, "upgrade the brokers", "%s", w.without))
		}
	}
	return found
}
