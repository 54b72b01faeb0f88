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

// dialTimeout bounds a connection attempt, the TLS handshake included.
const dialTimeout = 5 * time.Second

// Options returns the options of every client. role names the client in the
// brokers' logs and in kprom's metrics. reg registers the metrics; nil: none.
func (c *Config) Options(role string, log *slog.Logger, reg prometheus.Registerer) ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(c.ClientID + "-" + role),
		kgo.SoftwareNameAndVersion("notifier", "1"),
		kgo.WithLogger(errorLogger{kslog.New(log.With("component", "kafka", "client", role))}),
		kgo.DialTimeout(dialTimeout),
		kgo.ConnIdleTimeout(9 * time.Minute), // below connections.max.idle.ms of the brokers, 10 min
		// The default delays a produce request by 5 s after a leader change.
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.MetadataMaxAge(15 * time.Second), // bounds the discovery of new partitions
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
		c.TLS.wire.setLogger(log.With("component", "kafka"))
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

// OutboxOptions are the options of the producer of outbox records, which retries
// without end. maxBytes returns a topic's max.message.bytes.
func OutboxOptions(maxBytes func(topic string) int32) []kgo.Opt {
	return []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.UnknownTopicRetries(-1),
		kgo.ProducerBatchMaxBytesFn(maxBytes),
		// Above the sum of the windows, so that an outbox that cannot be written
		// does not block the others.
		kgo.MaxBufferedRecords(4 << 20),
	}
}

// wholeEntry is how large an entry may be before it is compressed, in bytes. Its topic
// may take less: the client compares the size before compression, brokers compare
// that after it.
const wholeEntry = 8 << 20

// DeadLetterOptions are the options of the producer of dead letters. It gives up
// after 8 s, since entries that are written twice have the same id.
func DeadLetterOptions(maxBytes func(topic string) int32) []kgo.Opt {
	return []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.AllowIdempotentProduceCancellation(),
		kgo.RecordDeliveryTimeout(8 * time.Second),
		kgo.ProducerBatchMaxBytesFn(func(topic string) int32 { return max(maxBytes(topic), wholeEntry) }),
	}
}

// errorLogger limits kgo's log to errors: kgo warns at each retry, and the
// client's user logs what matters.
type errorLogger struct{ kgo.Logger }

// Log implements kgo.Logger. It drops the message about a batch that is too
// large, which the consumer logs.
func (l errorLogger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	if !strings.HasPrefix(msg, "batch decompresses larger than") {
		l.Logger.Log(level, msg, keyvals...)
	}
}

// Level implements kgo.Logger.
func (errorLogger) Level() kgo.LogLevel { return kgo.LogLevelError }
