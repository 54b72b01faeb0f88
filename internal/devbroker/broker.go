// Package devbroker runs a Kafka broker inside the process: what `notifier dev`
// and many tests talk to. It is kfake (github.com/twmb/franz-go/pkg/kfake),
// which calls itself a fake, with what a first run on somebody's laptop needs
// around it: data on disk instead of in memory, a lock on the data directory,
// a guard in front of the port, and retention that really runs. It is for
// trying out and for tests: one node, no replication, no authentication, and
// reachable from this machine only.
//
// Invariant: whatever arrives at the port costs at most its own connection.
//
// Start reading at Start; guard.go is what stands between the port and kfake.
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

// DefaultAddr is where Kafka clients look for a broker on their own machine.
const DefaultAddr = "127.0.0.1:9092"

// Config says where a broker listens and where its data lives.
type Config struct {
	// Addr is a loopback address with a port; port 0 takes a free one.
	// Default: DefaultAddr.
	Addr string
	// DataDir keeps topics, records and committed offsets. It is made when it
	// is missing and kept after Close. Empty: a fresh temporary directory
	// that Close removes.
	DataDir string
	// Logger hears of what goes wrong inside; nil discards it.
	Logger *slog.Logger
}

// Broker is one running broker.
type Broker struct {
	addr      string
	dir       string
	temporary bool
	lock      *flock.Flock

	stop chan struct{} // closed to end housekeeping
	done chan struct{} // closed when it has ended

	mu      sync.Mutex
	cluster *kfake.Cluster // nil once closed: its methods would wait for ever
}

// Start starts a broker. It has no topics but those its data directory holds;
// see CreateTopics. ctx bounds the start only: the broker runs until Close.
//
// The errors that a person can act on are *PortTaken, *DirInUse and *Damaged.
func Start(ctx context.Context, cfg Config) (_ *Broker, err error) {
	if cfg.Addr == "" {
		cfg.Addr = DefaultAddr
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	b := &Broker{stop: make(chan struct{}), done: make(chan struct{})}
	if err := b.takeDir(cfg.DataDir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.leaveDir()
		}
	}()

	ln, err := listen(ctx, cfg.Addr)
	if err != nil {
		return nil, err
	}
	b.addr = ln.Addr().String()
	_, unmade := os.Stat(filepath.Join(b.dir, "meta.json"))
	b.cluster, err = kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ClusterID(clusterID()), // of a new directory; an old one keeps its own
		kfake.DataDir(b.dir),
		kfake.ListenFn(func(string, string) (net.Listener, error) {
			return guard(ln, cfg.Logger), nil
		}),
		kfake.WithLogger(logger{cfg.Logger}),
	)
	if err != nil {
		_ = ln.Close()
		if unmade == nil {
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
	return b.leaveDir()
}

// takeDir makes the data directory and locks it. Two brokers on one directory
// would start without complaint and then overwrite each other's offsets.
func (b *Broker) takeDir(dir string) error {
	if dir == "" {
		made, err := os.MkdirTemp("", "notifier-dev-")
		if err != nil {
			return fmt.Errorf("make a data directory: %w", err)
		}
		dir, b.temporary = made, true
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("find the data directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
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

func (b *Broker) leaveDir() error {
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

// How often housekeep works. Retention only reads what is in memory, so it may
// be frequent; it bounds by how much a fast producer overshoots. Compaction
// reads and rewrites the compacted topics.
const (
	retentionEvery  = 10 * time.Second
	compactionEvery = 10 * time.Minute
)

// housekeep applies retention and compaction until Close. kfake's own clock
// for them starts only when a topic is created, so after a restart on an
// existing directory it would never run.
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

// clusterID returns a new cluster id in Kafka's own shape: 16 random bytes in
// 22 characters. Ids of events are derived from it, so two directories must
// not share one.
func clusterID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(id[:])
}
