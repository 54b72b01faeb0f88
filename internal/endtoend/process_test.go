//go:build synctests

package endtoend

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/daemon"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/simulation/oracle"
	"github.com/algotrade/notifier/internal/topics"
)

// process is one notifier, the whole daemon but for its HTTP server, over a wire
// of its own.
type process struct {
	trial    *trial
	name     string
	instance string // static membership; "": none
	life     int    // which one this is, over all processes
	wire     *wire
	registry *prometheus.Registry // of its present life
	ctx      context.Context      // ends when it is told to stop
	stop     context.CancelFunc
	ended    chan struct{}
}

// start starts a process; it does not wait for it to work. Where one with this
// instance id runs, since two faults end a process and each starts the next, it has
// none.
func (t *trial) start(instance string) *process {
	t.mu.Lock()
	t.started++
	if slices.ContainsFunc(t.living, func(n *process) bool { return n.instance == instance }) {
		instance = ""
	}
	n := &process{trial: t, name: fmt.Sprint("n", t.started), instance: instance, ended: make(chan struct{})}
	n.wire = newWire(t.net.DialContext, func(by int, request []byte) { t.request(n, by, request) })
	n.ctx, n.stop = context.WithCancel(context.Background())
	t.all = append(t.all, n)
	t.living = append(t.living, n)
	t.mu.Unlock()
	t.history.note(joins, n.name, "%s", instance)
	go func() {
		defer close(n.ended)
		for n.ctx.Err() == nil && !n.wire.isCut() { // as a supervisor would
			if err := n.run(); err != nil && !n.wire.isCut() && n.ctx.Err() == nil {
				t.history.note(fault, n.name, "does not start: %v", err)
				select {
				case <-time.After(time.Second):
				case <-n.ctx.Done():
				}
			}
		}
	}()
	return n
}

// crash ends it at this instant: nothing that it does from now on has an effect.
func (n *process) crash(why string) {
	n.trial.history.add(step{kind: crashed, node: n.name, by: n.life, event: -1, text: why})
	n.wire.cut()
	n.stop()
	n.trial.forget(n)
	n.trial.dying.Go(func() { n.trial.expire(n) })
}

// expire has the groups forget a process that died, as Kafka does by the end of
// its session and of a rebalance. Brokers in memory keep a member forever
// whose connection ended while it waited in a rebalance.
func (t *trial) expire(n *process) {
	time.Sleep(session + rebalance + time.Second)
	for _, g := range []string{group, topics.OutboxGroup(group)} {
		t.expel(g, n.name+"-")
	}
}

// expel has a group forget the members of the clients with this prefix.
func (t *trial) expel(g, client string) {
	info := t.fake.GroupInfo(g)
	if info == nil {
		return
	}
	for _, m := range info.Members {
		if !strings.HasPrefix(m.ClientID, client) {
			continue
		}
		t.history.note(fault, "", "%s is expelled from %s", m.ClientID, g)
		req := kmsg.NewPtrLeaveGroupRequest()
		req.Group = g
		leaving := kmsg.NewLeaveGroupRequestMember()
		leaving.MemberID, leaving.InstanceID = m.MemberID, m.InstanceID
		req.Members = append(req.Members, leaving)
		if _, err := req.RequestWith(t.ctx, t.admin); err != nil {
			t.history.note(fault, "", "and was not: %v", err)
		}
	}
}

// unstick ends a rebalance that brokers in memory have forgotten to end, which
// happens where a coordinator moves meanwhile.
func (t *trial) unstick() {
	for _, g := range []string{group, topics.OutboxGroup(group)} {
		if info := t.fake.GroupInfo(g); info != nil && info.State != "Stable" {
			t.expel(g, "")
		}
	}
}

// leave stops it as an operator does, and returns when it has stopped.
func (n *process) leave() {
	n.trial.history.note(leaves, n.name, "")
	n.trial.forget(n)
	n.stop()
	<-n.ended
}

// run is one life of the daemon, from its look at the cluster to its end.
func (n *process) run() error {
	t := n.trial
	t.mu.Lock()
	t.lives++
	n.life = t.lives
	t.mu.Unlock()
	n.registry = prometheus.NewRegistry()
	started := false
	d, err := daemon.New(n.config(), daemon.Deps{
		Logger: slog.New(&journal{n}), Registry: n.registry, KafkaOptions: n.options, Started: func(string) { started = true },
		Handler: func(group string, h consume.Handler) consume.Handler { return witnessed{h, n, group} },
	})
	if err != nil {
		return err
	}
	err = d.Run(n.ctx)
	if !started {
		return err
	}
	t.history.add(step{kind: ended, node: n.name, by: n.life, event: -1})
	if err != nil && !n.wire.isCut() {
		t.history.note(complains, n.name, "%v", err)
	}
	return nil
}

func (n *process) config() daemon.Config {
	t := n.trial
	c := daemon.Config{Kafka: kafka.Defaults(), Events: event.Defaults(), Rules: t.set, MaxReplays: maxReplays, Drain: 5 * time.Second}
	c.Kafka.Brokers, c.Kafka.ClientID, c.Kafka.Group = t.fake.ListenAddrs(), n.name, group
	c.Kafka.InstanceID, c.Kafka.SessionTimeout = n.instance, session
	c.Kafka.Window = kafka.Window{Unsettled: 128, Bytes: 8 << 20, Uncommitted: uncommitted}
	for _, name := range t.channels() {
		config := dispatch.Config{
			Concurrency: concurrency, Partitions: int(t.partitions[name]), Timeout: 10 * time.Second,
			Retry: dispatch.DefaultRetry(), Breaker: dispatch.DefaultBreaker(), Ambiguous: dispatch.Resend,
		}
		if config.Partitions == 1 || config.Partitions == 3 { // a single owner
			config.Pace = dispatch.Pace{Rate: 50, Burst: 10}
		}
		line := t.providers[name].of(n)
		c.Channels = append(c.Channels, daemon.Channel{Name: name, Channel: line, Driver: line, Dispatch: config})
	}
	return c
}

// options are added to those of the client in a role.
func (n *process) options(role string) []kgo.Opt {
	opts := []kgo.Opt{n.wire.dialer(role, n.life)}
	if n.trial.eager && (role == "ingest" || role == "dispatch") {
		opts = append(opts, kgo.Balancers(kgo.RangeBalancer()))
	}
	return opts
}

// witnessed puts into the history when a handler begins.
type witnessed struct {
	consume.Handler
	process *process
	group   string
}

// Handle implements consume.Handler.
func (w witnessed) Handle(ctx context.Context, p *consume.Partition) {
	n := w.process
	at := n.trial.placeOf(p.TopicID(), p.ID, 0)
	n.trial.history.add(step{kind: assigned, node: n.name, by: n.life, event: -1, what: oracle.Happening{Kind: oracle.Assigned, By: n.life, Group: w.group, Place: at}})
	w.Handler.Handle(ctx, p)
}

// journal records in the history what a process logs about its partitions, and its
// errors.
type journal struct{ process *process }

// Enabled implements slog.Handler.
func (j *journal) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

// Handle implements slog.Handler.
func (j *journal) Handle(_ context.Context, r slog.Record) error {
	if j.process.wire.isCut() {
		return nil
	}
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		return true
	})
	s := step{kind: moved, node: j.process.name, by: j.process.life, event: -1, text: text}
	if strings.HasPrefix(r.Message, "alerts were written out of order") {
		j.process.trial.overtaken.note(r)
	}
	if strings.HasPrefix(r.Message, "brokers lost records") {
		s.kind, s.what = truncated, j.process.trial.cut(j.process.life, r)
	}
	j.process.trial.history.add(s)
	return nil
}

// WithAttrs implements slog.Handler.
func (j *journal) WithAttrs([]slog.Attr) slog.Handler { return j }

// WithGroup implements slog.Handler.
func (j *journal) WithGroup(string) slog.Handler { return j }
