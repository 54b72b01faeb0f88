// Package kafka contains the client options, TLS and SASL, the topic specs, and
// the checks that run before the daemon starts. Start at Config and Preflight.
package kafka

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/unpack"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Config configures the connection to the cluster and the group membership.
type Config struct {
	// Brokers are the bootstrap addresses, host:port. KAFKA_BOOTSTRAP_SERVERS replaces them.
	Brokers []string `yaml:"brokers"`
	// Group is the consumer group, and the prefix of our own topics.
	Group string `yaml:"group"`
	// InstanceID enables static membership (KIP-345); unique per process.
	InstanceID string `yaml:"instance_id"`
	// ClientID is the client.id, which brokers log.
	ClientID string `yaml:"client_id"`
	// Rack enables fetching from the closest replica (KIP-392).
	Rack string `yaml:"rack"`
	// Start is where a new group begins: earliest, latest or a time.
	Start Start `yaml:"start"`
	// SessionTimeout is the time after which a member that is not heard of loses its partitions,
	// session.timeout.ms.
	SessionTimeout time.Duration `yaml:"session_timeout" range:"6s..30m, the brokers' default limits"`
	// TLS is the encryption of the connections to the brokers.
	TLS TLS `yaml:"tls"`
	// SASL is the login at the brokers.
	SASL SASL `yaml:"sasl"`
	// Window bounds the records in memory.
	Window Window `yaml:"window"`
}

// Window bounds the records in memory.
type Window struct {
	Unsettled   int          `yaml:"unsettled" range:"16..100000"` // Records per partition.
	Bytes       yamldoc.Size `yaml:"bytes" range:"1MiB.."`         // Bytes of records in all.
	Uncommitted int          `yaml:"uncommitted" range:"1..10000"` // Settled and uncommitted records per partition: the bound on duplicates after a crash.
}

// Outbox is what of Bytes is for the records of outboxes: pending deliveries are counted
// decoded, and a few thousand deliveries are enough to choose from.
func (w Window) Outbox() int { return int(w.Bytes) / 4 }

// unpacked bounds decompressed batches: one batch to the window, at least
// leastUnpacked, and all batches of the process to twice that, so that a full
// window leaves room for other readers.
func (w Window) unpacked() unpack.Limits {
	batch := max(int64(w.Bytes), leastUnpacked)
	return unpack.Limits{Batch: batch, Total: int64(w.Bytes) + batch}
}

// leastUnpacked is the least bound on a batch: 1 MiB, the default of
// max.message.bytes, can decompress to this much.
const leastUnpacked = 32 << 20

// Memory is the daemon's memory with this window, in bytes: decompressed
// batches, pending deliveries and the base without records.
func (w Window) Memory() int64 { return w.unpacked().Total + int64(w.Bytes) + baseMemory }

const baseMemory = 64 << 20

// Start is where a new group begins: earliest, latest, or a time.
type Start struct {
	Latest bool
	At     time.Time
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Start) UnmarshalText(text []byte) error {
	switch t := string(text); t {
	case "earliest":
		*s = Start{}
	case "latest":
		*s = Start{Latest: true}
	default:
		at, err := time.Parse(time.RFC3339, t)
		if err != nil {
			return fmt.Errorf("%q is not a start: use earliest, latest or a time such as 2026-11-23T09:30:00Z", t)
		}
		*s = Start{At: at}
	}
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (s Start) MarshalText() ([]byte, error) {
	switch {
	case s.Latest:
		return []byte("latest"), nil
	case s.At.IsZero():
		return []byte("earliest"), nil
	}
	return []byte(s.At.Format(time.RFC3339)), nil
}

// Defaults returns the configuration for a cluster on this host.
func Defaults() Config {
	return Config{
		Brokers: []string{"localhost:9092"}, Group: "notification-service", ClientID: "notifier",
		SessionTimeout: 15 * time.Second,
		Window:         Window{Unsettled: 4096, Bytes: 64 << 20, Uncommitted: 64},
	}
}

// CheckYAML implements yamldoc.Checker.
func (c *Config) CheckYAML(at yamldoc.Cursor) {
	if len(c.Brokers) == 0 {
		at.Field("brokers").Fault("must list at least one broker, such as [localhost:9092]")
	}
	for _, b := range c.Brokers {
		if err := CheckAddress(b); err != nil {
			at.Field("brokers").Fault("%v", err)
		}
	}
}

// CheckAddress validates a broker's address.
func CheckAddress(b string) error {
	host, port, err := net.SplitHostPort(b)
	n, portErr := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil && !strings.Contains(b, ":"):
		return fmt.Errorf("%q has no port: use %s:9092", b, b)
	case strings.Contains(b, "://"):
		return fmt.Errorf("%q is not host:port: remove the part before ://", b)
	case err != nil || portErr != nil || n == 0 || host == "":
		return fmt.Errorf("%q is not host:port, such as kafka-1.example.com:9092", b)
	}
	return nil
}
