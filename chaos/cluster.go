package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// nodes is how many there are, each a broker and a controller: one may be gone
// without an end of the quorum.
const nodes = 3

// cluster is three nodes of Apache Kafka in processes of their own. Daemons
// reach them through a proxy each; we ourselves past it, so that what is cut is
// not our view.
type cluster struct {
	dir    string
	script string
	proxy  [nodes]*proxy
	direct [nodes]string // where the brokers listen for each other and for us
	client *kgo.Client
	admin  *kadm.Client
	mounts []string
}

// startCluster starts the nodes with their data below dir. It returns once all
// three are known and can be written to.
func startCluster(ctx context.Context, dir string) (*cluster, error) {
	c := &cluster{dir: dir, script: filepath.Join("scripts", "kafka.sh")}
	var advertised []string
	for i := range c.proxy {
		p, err := newProxy(fmt.Sprint("kafka-", i+1))
		if err != nil {
			return nil, err
		}
		c.proxy[i] = p
		advertised = append(advertised, p.addr)
	}
	out, err := c.run(ctx, append([]string{"cluster", dir}, advertised...)...)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != nodes {
		return nil, fmt.Errorf("kafka.sh names %d nodes: %q", len(lines), out)
	}
	for i, line := range lines {
		address, direct, ok := strings.Cut(line, " ")
		if !ok {
			return nil, fmt.Errorf("kafka.sh says %q", line)
		}
		c.direct[i] = direct
		if err := c.proxy[i].to(address); err != nil {
			return nil, err
		}
	}
	c.client, err = kgo.NewClient(kgo.SeedBrokers(c.direct[:]...), kgo.MetadataMinAge(250*time.Millisecond),
		kgo.RequestTimeoutOverhead(3*time.Second), kgo.DisableClientMetrics())
	if err != nil {
		return nil, err
	}
	c.admin = kadm.NewClient(c.client)
	return c, c.whole(ctx)
}

// brokers are the addresses that daemons are given.
func (c *cluster) brokers() []string {
	var list []string
	for _, p := range c.proxy {
		list = append(list, p.addr)
	}
	return list
}

func (c *cluster) run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.script, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = time.Second // the nodes outlive the script
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return "", fmt.Errorf("%s %s: %w: %s", c.script, args[0], err, errs.String())
	}
	return out.String(), nil
}

func (c *cluster) node(i int) string { return filepath.Join(c.dir, strconv.Itoa(i+1)) }

func (c *cluster) pid(i int) (int, error) {
	text, err := os.ReadFile(filepath.Join(c.node(i), "pid"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// stopNode asks a node to stop and waits until it has; killNode does not ask.
func (c *cluster) stopNode(ctx context.Context, i int) error { return c.end(ctx, i, syscall.SIGTERM) }
func (c *cluster) killNode(ctx context.Context, i int) error { return c.end(ctx, i, syscall.SIGKILL) }

func (c *cluster) end(ctx context.Context, i int, signal syscall.Signal) error {
	pid, err := c.pid(i)
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end node %d: %w", i+1, err)
	}
	return until(ctx, 2*time.Minute, fmt.Sprintf("node %d is gone", i+1), func(context.Context) bool { return !alive(pid) })
}

// startNode starts a node that was ended, with the data it has.
func (c *cluster) startNode(ctx context.Context, i int) error {
	_, err := c.run(ctx, "node", c.node(i))
	return err
}

// fix starts what a row that failed has left broken.
func (c *cluster) restore(ctx context.Context) error {
	for i := range nodes {
		if err := c.proxy[i].restore(); err != nil {
			return err
		}
		if pid, err := c.pid(i); err == nil && alive(pid) {
			continue
		}
		if err := c.startNode(ctx, i); err != nil {
			return err
		}
	}
	return c.whole(ctx)
}

func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := bytes.Cut(stat, []byte(") ")) // 4 (java) Z …
	return !bytes.HasPrefix(after, []byte("Z"))
}

// whole waits until all nodes are there and every partition has all of its
// replicas in sync.
func (c *cluster) whole(ctx context.Context) error {
	missing := "no broker answers"
	err := until(ctx, 3*time.Minute, "the cluster is whole", func(ctx context.Context) bool {
		md, err := c.admin.Metadata(ctx)
		switch {
		case err != nil:
			missing = err.Error()
			return false
		case len(md.Brokers) < nodes:
			missing = fmt.Sprintf("%d brokers", len(md.Brokers))
			return false
		}
		missing = ""
		for _, t := range md.Topics {
			for _, p := range t.Partitions {
				if p.Leader < 0 || len(p.ISR) < len(p.Replicas) {
					missing = fmt.Sprintf("%s/%d: leader %d, in sync %v", t.Topic, p.Partition, p.Leader, p.ISR)
					return false
				}
			}
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("%w (%s)", err, missing)
	}
	return nil
}

// close ends the nodes and takes away what was mounted.
func (c *cluster) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if c.client != nil {
		c.client.Close()
	}
	_, _ = c.run(ctx, "stop", c.dir)
	for _, p := range c.proxy {
		if p != nil {
			p.cut()
		}
	}
	for _, dir := range c.mounts {
		_ = syscall.Unmount(dir, 0)
	}
}

// until waits until a condition is met, checking it twenty times a second.
func until(ctx context.Context, within time.Duration, what string, holds func(context.Context) bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("after %s it is not so that %s", within, what))
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ask, done := context.WithTimeout(ctx, time.Minute)
		ok := holds(ask)
		done()
		if ok {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// pause waits, or returns why it did not.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
