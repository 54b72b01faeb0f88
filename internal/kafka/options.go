package kafka

import (
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kprom"
	"github.com/twmb/franz-go/plugin/kslog"

	"github.com/algotrade/notifier/internal/unpack"
)

// dialTimeout bounds making a connection, the handshake of TLS included.
const dialTimeout = 5 * time.Second

// Options returns what every client is made with. role names the client in
// the brokers' logs and in kprom's metrics, which register with reg; nil: none.
func (c *Config) Options(role string, log *slog.Logger, reg prometheus.Registerer) ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(c.ClientID + "-" + role),
		kgo.SoftwareNameAndVersion("notifier", "1"),
		kgo.WithLogger(quiet{kslog.New(log.With("component", "kafka", "client", role))}),
		kgo.DialTimeout(dialTimeout),
		// A lone alert after a quiet hour must not pay for a new connection;
		// brokers close idle ones after 10 minutes.
		kgo.ConnIdleTimeout(9 * time.Minute),
		// A moved leader costs a produce request 5 s with the default.
		kgo.MetadataMinAge(250 * time.Millisecond),
		// Partitions that are added are seen after that time.
		kgo.MetadataMaxAge(15 * time.Second),
		kgo.RequestTimeoutOverhead(2 * time.Second),
		kgo.ProduceRequestTimeout(3 * time.Second),
		kgo.WithDecompressor(unpack.New(c.Window.unpacked())),
		kgo.DisableClientMetrics(),
	}
	if c.Rack != "" {
		opts = append(opts, kgo.Rack(c.Rack))
	}
	if c.TLS.Enabled {
		if err := c.TLS.open(); err != nil {
			return nil, err
		}
		c.TLS.wire.logTo(log.With("component", "kafka"))
		opts = append(opts, kgo.Dialer(c.TLS.wire.dial))
	} else if c.SASL.isPlain() && !c.SASL.Insecure {
		opts = append(opts, kgo.Dialer(dialLocal))
	}
	if c.SASL.Mechanism != "" {
		mechanism, err := c.SASL.mechanism()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.SASL(mechanism))
	}
	if reg != nil {
		opts = append(opts, kgo.WithHooks(kprom.NewMetrics("kafka",
			kprom.Registerer(wellNamed{reg}), kprom.WithStaticLabel(prometheus.Labels{"client": role}))))
	}
	return opts, nil
}

// OutboxOptions are those of the producer that writes outbox records. Its
// promises are awaited without a bound: an alert is never given up. maxBytes
// is a topic's max.message.bytes.
func OutboxOptions(maxBytes func(topic string) int32) []kgo.Opt {
	return []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.UnknownTopicRetries(-1),
		kgo.ProducerBatchMaxBytesFn(maxBytes),
		// Above the sum of our own windows, so that one outbox that cannot be
		// written never blocks another.
		kgo.MaxBufferedRecords(4 << 20),
	}
}

// DeadLetterOptions are those of the producer of dead letters. Its waiting is
// bounded: ids collapse what is written twice.
func DeadLetterOptions(maxBytes func(topic string) int32) []kgo.Opt {
	return []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.AllowIdempotentProduceCancellation(),
		kgo.RecordDeliveryTimeout(8 * time.Second),
		kgo.ProducerBatchMaxBytesFn(maxBytes),
	}
}

// quiet lets kgo say errors only. It writes several lines a request at debug
// level, and a warning for each retry; what matters of them is said by whoever
// uses the client, at most once a minute.
type quiet struct{ kgo.Logger }

// Log implements kgo.Logger. What a batch leads to that is too large is said by
// who polls it; kgo would advise an operator to call a function.
func (q quiet) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	if !strings.HasPrefix(msg, "batch decompresses larger than") {
		q.Logger.Log(level, msg, keyvals...)
	}
}

// Level implements kgo.Logger.
func (quiet) Level() kgo.LogLevel { return kgo.LogLevelError }
