// Package devbroker runs a Kafka broker inside the process, for `notifier dev`
// and for tests. It is kfake (github.com/twmb/franz-go/pkg/kfake) with data on
// disk, a lock on the data directory, a check of each request frame, and working
// retention. It has one node, no replication and no authentication, and listens
// on this host only.
//
// Invariant: an invalid request closes at most its own connection.
//
// Start at Start; guard.go checks the frames before kfake reads them.
package devbroker

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/twmb/franz-go/pkg/kfake"
)

// DefaultAddr is the address that Kafka clients use by default.
const DefaultAddr = "127.0.0.1:9092"

// Config configures a broker.
type Config struct {
	// Addr is a loopback address with a port; port 0 takes a free one.
	// Default: DefaultAddr.
	Addr string
	// DataDir stores topics, records and committed offsets. It is created if it
	// is missing. Empty: a temporary directory that Close removes.
	DataDir string
	// Logger logs kfake's messages; nil: no log.
	Logger *slog.Logger
}

// Broker is a running broker.
type Broker struct {
	addr      string
	dir       string
	temporary bool
	lock      *flock.Flock

	stop chan struct{} // closed to end housekeeping
	done chan struct{} // closed after housekeeping

	mu      sync.Mutex
	cluster *kfake.Cluster // nil after Close, since its methods would block forever
}

// Start starts a broker with the topics of its data directory; see CreateTopics.
// ctx bounds the start only: the broker runs until Close. Errors with a remedy
// are *PortTaken, *DirInUse and *Damaged.
func Start(ctx context.Context, cfg Config) (_ *Broker, err error) {
	if cfg.Addr == "" {
		cfg.Addr = DefaultAddr
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	b := &Broker{stop: make(chan struct{}), done: make(chan struct{})}
	if err := b.lockDir(cfg.DataDir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.releaseDir()
		}
	}()

	ln, err := listen(ctx, cfg.Addr)
	if err != nil {
		return nil, err
	}
	b.addr = ln.Addr().String()
	_, statErr := os.Stat(filepath.Join(b.dir, "meta.json"))
	b.cluster, err = kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ClusterID(clusterID()), // an existing directory keeps its own
		kfake.DataDir(b.dir),
		kfake.ListenFn(func(string, string) (net.Listener, error) {
			return guard(ln, cfg.Logger), nil
		}),
		kfake.WithLogger(logger{cfg.Logger}),
	)
	if err != nil {
		_ = ln.Close()
		if statErr == nil {
			return nil, &Damaged{Dir: b.dir, Err: err}
		}
		return nil, fmt.Errorf("start a broker in %s: %w", b.dir, err)
	}
	go func() {
		defer close(b.done)
		b.housekeep(time.Tick(retentionEvery), time.Tick(compactionEvery))
	}()
	return b, nil
}

// Addr returns the address that clients connect to, as host:port.
func (b *Broker) Addr() string { return b.addr }

// Dir returns the data directory.
func (b *Broker) Dir() string { return b.dir }

// Close stops the broker, saves its state and, when the directory was a
// temporary one, removes it. Close the clients first: one that is still there
// sees its connection end and tries to connect until it is closed. Closing
// twice is fine.
func (b *Broker) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cluster == nil {
		return nil
	}
	close(b.stop)
	<-b.done
	b.cluster.Close()
	b.cluster = nil
	return b.releaseDir()
}

// lockDir creates and locks the data directory. Without the lock, two brokers on
// one directory would overwrite each other's offsets.
func (b *Broker) lockDir(dir string) error {
	if dir == "" {
		temporary, err := os.MkdirTemp("", "notifier-dev-")
		if err != nil {
			return fmt.Errorf("create a data directory: %w", err)
		}
		dir, b.temporary = temporary, true
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("find the data directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create the data directory: %w", err)
	}
	b.dir = dir
	b.lock = flock.New(filepath.Join(dir, "notifier.lock"))
	switch locked, err := b.lock.TryLock(); {
	case err != nil:
		return fmt.Errorf("lock the data directory: %w", err)
	case !locked:
		return &DirInUse{Dir: dir}
	}
	return nil
}

func (b *Broker) releaseDir() error {
	if err := b.lock.Unlock(); err != nil {
		return fmt.Errorf("unlock the data directory: %w", err)
	}
	if !b.temporary {
		return nil
	}
	if err := os.RemoveAll(b.dir); err != nil {
		return fmt.Errorf("remove the data directory: %w", err)
	}
	return nil
}

// Intervals of housekeep. Retention only reads memory; its interval bounds by how
// much a fast producer exceeds the limit. Compaction rewrites topics on disk.
const (
	retentionEvery  = 10 * time.Second
	compactionEvery = 10 * time.Minute
)

// housekeep applies retention and compaction until Close. kfake's own timer
// starts only when a topic is created, hence not after a restart.
func (b *Broker) housekeep(retention, compaction <-chan time.Time) {
	for {
		select {
		case <-b.stop:
			return
		case <-retention:
			b.cluster.ApplyRetention()
		case <-compaction:
			b.cluster.Compact()
		}
	}
}

// clusterID returns a new cluster id in Kafka's format: 16 random bytes in 22
// characters. Ids of events derive from it.
func clusterID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(id[:])
}
