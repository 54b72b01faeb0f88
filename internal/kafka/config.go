// Package kafka knows how to reach the cluster: client options, the shapes of
// topics, making and checking them, and the preflight that says in a sentence
// what is wrong before anything starts. Start reading at Config and Preflight.
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

// Config says how to reach the cluster and how to be a member of its groups.
type Config struct {
	// Brokers are addresses to begin with, host:port; the rest is learnt from
	// them.
	Brokers []string `yaml:"brokers"`
	// Group is the consumer group. Every topic of ours begins with it.
	Group string `yaml:"group"`
	// InstanceID makes the membership static (KIP-345): unique per process.
	InstanceID string `yaml:"instance_id"`
	ClientID   string `yaml:"client_id"`
	// Rack is where this process runs; brokers then let it read from replicas
	// nearby (KIP-392).
	Rack string `yaml:"rack"`
	// Start is where a new group begins.
	Start Start `yaml:"start"`
	// SessionTimeout is after how long without a heartbeat the group takes a
	// member for dead, 6 s to 30 min.
	SessionTimeout time.Duration `yaml:"session_timeout"`
	TLS            TLS           `yaml:"tls"`
	SASL           SASL          `yaml:"sasl"`
	Window         Window        `yaml:"window"`
}

// Window bounds what waits in memory.
type Window struct {
	Unsettled   int          `yaml:"unsettled"`   // records of a partition, 16 to 100,000
	Bytes       yamldoc.Size `yaml:"bytes"`       // over all partitions, at least 1 MiB
	Uncommitted int          `yaml:"uncommitted"` // settled and not committed, per partition: the bound on repeats after a crash
}

// unpacked bounds what compressed batches take once they are unpacked: one as
// much as the window, so that a batch a topic can legitimately hold fits, and all
// of them, whoever in this process reads them, twice that. So a window full of
// what cannot be written at present leaves as much for the others. Below 32 MiB
// the window bounds no batch: 1 MiB, which topics allow by default, can be as much
// that is well compressed.
func (w Window) unpacked() unpack.Limits {
	batch := max(int64(w.Bytes), leastUnpacked)
	return unpack.Limits{Batch: batch, Total: int64(w.Bytes) + batch}
}

const leastUnpacked = 32 << 20

// Memory is what a daemon with this window takes at most, but for one batch: the
// batches that are unpacked, the deliveries that wait for their channels, and
// what it takes without any records.
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
			return fmt.Errorf("%q is no place to start: write earliest, latest or a time such as 2026-11-23T09:30:00Z", t)
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

// Defaults returns the configuration of a cluster on this machine.
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
		at.Field("brokers").Fault("names no broker: write [localhost:9092]")
	}
	for _, b := range c.Brokers {
		if err := CheckAddress(b); err != nil {
			at.Field("brokers").Fault("%v", err)
		}
	}
	if c.SessionTimeout < 6*time.Second || c.SessionTimeout > 30*time.Minute {
		at.Field("session_timeout").Fault("%s is not between 6s and 30m, which is what brokers take by default", c.SessionTimeout)
	}
}

// CheckAddress reports what is wrong with a broker's address.
func CheckAddress(b string) error {
	host, port, err := net.SplitHostPort(b)
	n, portErr := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil && !strings.Contains(b, ":"):
		return fmt.Errorf("%q has no port: write %s:9092", b, b)
	case strings.Contains(b, "://"):
		return fmt.Errorf("%q is not host:port: leave out what stands before ://", b)
	case err != nil || portErr != nil || n == 0 || host == "":
		return fmt.Errorf("%q is not host:port, such as kafka-1.example.com:9092", b)
	}
	return nil
}

// CheckYAML implements yamldoc.Checker.
func (w *Window) CheckYAML(at yamldoc.Cursor) {
	if w.Unsettled < 16 || w.Unsettled > 100_000 {
		at.Field("unsettled").Fault("%d is not between 16 and 100000", w.Unsettled)
	}
	if w.Bytes < 1<<20 {
		at.Field("bytes").Fault("is less than 1MiB")
	}
	if w.Uncommitted < 1 || w.Uncommitted > 10_000 {
		at.Field("uncommitted").Fault("%d is not between 1 and 10000", w.Uncommitted)
	}
}
