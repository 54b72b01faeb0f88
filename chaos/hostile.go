package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// hostile is a soak of one daemon in which everything that it talks to is
// hostile at once: producers, the receivers of some channels, mail servers, and
// the HTTP clients of its own port. Critical alerts to peers that behave must
// arrive in time meanwhile, and every record must have its outcome in the end.
type hostile struct {
	*site
	late time.Duration // how long a planted alert may take

	kafka     *node
	client    *kgo.Client // leaves the partition to the record
	admin     *kadm.Client
	producers map[codec]*kgo.Client
	account   *account
	peers     *peers
	mails     map[string]*mailer
	daemon    *daemon
	memory    *memory
	probes    *probes
	classes   []*class
	clients   int // hostile ones of the daemon's port

	errMu  sync.Mutex
	errors map[string]int // the daemon's lines at error level, by message
}

const (
	memoryLimit = 256 << 20
	// goLimit is what the Go runtime keeps to (GOMEMLIMIT): nine tenths of the
	// limit, which leaves room for what is none of its heap.
	goLimit           = memoryLimit / 10 * 9
	hostilePartitions = 3
	hostileClients    = 500
	httpClients       = "http-clients"
	// lateAfter is how long a planted alert may take, from before it is produced
	// until its provider has accepted it.
	lateAfter = 5 * time.Second
	// drainWithin is how long everything may take to have its outcome once all
	// peers behave again: a suspended channel is probed within a minute, and one
	// that was rate limited sends at a sixteenth of its rate at first, so that its
	// last hundred alerts take some three minutes.
	drainWithin = 5 * time.Minute
)

// soakHostile runs the soak for a time, prints its table, and reports whether
// every check passes.
func soakHostile(ctx context.Context, o *options, out io.Writer) (ok bool, err error) {
	began := time.Now()
	h := &hostile{
		late: o.late, account: newAccount(), memory: &memory{limit: memoryLimit}, probes: newProbes(), producers: make(map[codec]*kgo.Client),
		mails: make(map[string]*mailer), errors: make(map[string]int),
	}
	if h.site, err = newSite(o, "hostile-", out); err != nil {
		return false, err
	}
	defer func() { h.leave(ok) }()
	defer h.strike()
	if err := h.set(ctx); err != nil {
		return false, err
	}
	if err := h.choose(ctx, o.rows); err != nil {
		return false, err
	}
	h.say("Kafka, the daemon and its peers after %.0f s; seed %d; logs in %s", time.Since(began).Seconds(), h.seed, h.dir)
	h.say("hostile for %s: %d classes of records, %d HTTP clients, limit %d MiB", o.hostile, len(h.classes), h.clients, memoryLimit>>20)
	r, err := h.run(ctx, o.hostile)
	if err != nil {
		return false, err
	}
	r.text(out)
	h.say("%s in all, seed %d", time.Since(began).Round(time.Second), h.seed)
	return r.ok(), nil
}

// choose takes the classes that are meant; names are separated by commas, and
// httpClients is one of them.
func (h *hostile) choose(ctx context.Context, names string) error {
	f, err := h.newForger(ctx)
	if err != nil {
		return err
	}
	all := append(allClasses(), f.classes()...)
	if names == "" {
		h.classes, h.clients = all, hostileClients
		return nil
	}
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(all, func(c *class) bool { return c.name == name })
		if i < 0 {
			if name == httpClients {
				h.clients = hostileClients
				continue
			}
			known := []string{httpClients}
			for _, c := range all {
				known = append(known, c.name)
			}
			return fmt.Errorf("there is no class %q; known: %s", name, strings.Join(known, ", "))
		}
		h.classes = append(h.classes, all[i])
	}
	return nil
}

// set starts Kafka, the peers and the daemon.
func (h *hostile) set(ctx context.Context) (err error) {
	if h.kafka, err = h.broker(ctx); err != nil {
		return err
	}
	for _, c := range codecs() {
		if h.producers[c], err = h.producer(c); err != nil {
			return err
		}
	}
	h.client = h.producers[none]
	h.admin = kadm.NewClient(h.client)
	if h.peers, err = newPeers(h.account); err != nil {
		return err
	}
	for _, name := range append([]string{chMail}, hostileChannels()...) {
		if isMail(name) {
			if h.mails[name], err = newMailer(name, h.account, &h.peers.recovered); err != nil {
				return err
			}
		}
	}
	if err := h.write(); err != nil {
		return err
	}
	if _, err := h.command(ctx, "topics", "create", "--partitions", fmt.Sprint(hostilePartitions), "--replication", "1"); err != nil {
		return err
	}
	h.daemon, err = launch(h.binary, h.dir, "daemon", "", h.hear, fmt.Sprintf("GOMEMLIMIT=%d", int64(goLimit)))
	if err != nil {
		return err
	}
	return h.daemon.ready(ctx)
}

// producer returns a client that compresses so. One batch of it may unpack to
// tens of megabytes, as any producer's may.
func (h *hostile) producer(c codec) (*kgo.Client, error) {
	opts := []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(c.option()),
		kgo.ProducerBatchMaxBytes(32 << 20), kgo.MaxBufferedBytes(256 << 20),
	}
	if c != none { // the batches of one shot become readable together
		opts = append(opts, kgo.TransactionalID("hostile-"+string(c)))
	}
	return h.kafka.client(opts...)
}

// hear counts what the daemon logs at error level.
func (h *hostile) hear(line logLine) {
	if line.Level == "ERROR" {
		h.errMu.Lock()
		h.errors[line.Msg]++
		h.errMu.Unlock()
	}
}

// strike ends everything.
func (h *hostile) strike() {
	if h.daemon != nil {
		h.daemon.kill()
	}
	for _, m := range h.mails {
		_ = m.server.Close()
		_ = m.Close()
	}
	if h.peers != nil {
		_ = h.peers.server.Close()
	}
	for _, c := range h.producers {
		c.Close()
	}
	if h.kafka != nil {
		h.kafka.close()
	}
}

// run is the soak itself: hostility for a time, then peace until everything
// has its outcome, then the judgement. A daemon that ends ends it early.
func (h *hostile) run(ctx context.Context, total time.Duration) (*hostileReport, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	watching.Go(func() { h.memory.watch(ctx, h.daemon) })

	began, pid := time.Now(), h.daemon.process.Process.Pid
	attack, peace := context.WithTimeout(ctx, total)
	defer peace()
	defer context.AfterFunc(ctx, peace)()
	go func() {
		select {
		case <-h.daemon.gone:
			peace()
		case <-attack.Done():
		}
	}()
	var attacking sync.WaitGroup
	for i, c := range h.classes {
		attacking.Go(func() { h.attack(attack, c, i, total/4) })
	}
	attacking.Go(func() { h.plant(attack) })
	attacking.Go(func() { h.probes.run(attack, h.daemon) })
	attacking.Go(func() { harass(attack, strings.TrimPrefix(h.daemon.http, "http://"), h.clients, h.seed) })
	attacking.Wait()
	if ctx.Err() != nil {
		return nil, errors.New("stopped")
	}
	ended := time.Now()
	h.say("hostile phase over after %s: all receivers recover, pending alerts are delivered", ended.Sub(began).Round(time.Second))
	h.peers.recovered.Store(true)
	drained := h.drain(ctx)
	r := &hostileReport{hostile: h, drained: drained, drainTime: time.Since(ended), total: total}
	r.judge(ctx, pid)
	return r, nil
}
