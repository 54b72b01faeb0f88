//go:build synctests

package endtoend

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/ingest"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/simulation/oracle"
	"github.com/algotrade/notifier/internal/topics"
)

// process is one notifier as the daemon is put together: both stages and
// replays, over a wire of its own.
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

// start starts a process; it does not wait for it to work.
func (t *trial) start(instance string) *process {
	t.mu.Lock()
	t.started++
	n := &process{trial: t, name: fmt.Sprint("n", t.started), instance: instance, ended: make(chan struct{})}
	n.wire = newWire(t.net.DialContext, func(by int, request []byte) { t.sees(n, by, request) })
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

// crash ends it at this instant: nothing that it does from now on reaches
// anybody.
func (n *process) crash(why string) {
	n.trial.history.add(step{kind: crashed, node: n.name, by: n.life, event: -1, text: why})
	n.wire.cut()
	n.stop()
	n.trial.forget(n)
	n.trial.buries.Go(func() { n.trial.expire(n) })
}

// expire has the groups forget a process that died, as Kafka does by the end of
// its session and of a rebalance. Brokers in memory keep a member for ever
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

func (n *process) options(role string) []kgo.Opt {
	config := kafka.Defaults()
	config.Brokers, config.ClientID = n.trial.fake.ListenAddrs(), n.name
	opts, err := config.Options(role, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		panic(err) // defaults
	}
	return append(opts, n.wire.dialer(role, n.life))
}

// run is one life of the daemon, from its preflight to its end.
func (n *process) run() error {
	t, log := n.trial, slog.New(&journal{n})
	t.mu.Lock()
	t.lives++
	n.life = t.lives
	t.mu.Unlock()
	size := func(string) int32 { return kafka.DefaultMaxMessage }
	writer, err := kgo.NewClient(append(n.options("outbox"), kafka.OutboxOptions(size)...)...)
	if err != nil {
		return err
	}
	defer writer.Close()
	dead, err := kgo.NewClient(append(n.options("dead"), kafka.DeadLetterOptions(size)...)...)
	if err != nil {
		return err
	}
	defer dead.Close()
	ctx, cancel := context.WithTimeout(n.ctx, 10*time.Second)
	defer cancel()
	err = consume.EnsureStart(ctx, kadm.NewClient(writer), consume.StartParams{Group: group, Cluster: t.cluster, Topics: t.sources(), Own: t.outboxTopics()})
	if err != nil {
		return err
	}
	reg := prometheus.NewRegistry()
	n.registry = reg
	letters := dlq.NewWriter(dlq.WriterParams{Client: dead, Group: group, Logger: log, Registry: reg})
	outboxes := outbox.New(outbox.Params{Broker: outbox.Kafka(writer), Group: group, Channels: t.channels(), Logger: log})
	if err := outboxes.Load(ctx); err != nil {
		return err
	}
	h := ingest.New(ingest.Params{
		Group: group, Cluster: t.cluster, Decoder: event.NewDecoder(nil, t.set.Reads(), nil), Rules: t.set,
		Outboxes: outboxes, Dead: letters, Topics: t.sources(), MaxReplays: maxReplays, Logger: log, Registry: reg,
	})
	tail, err := kgo.NewClient(append(n.options("replay"), dlq.TailOptions()...)...)
	if err != nil {
		return err
	}
	defer tail.Close()
	r := replay.New(replay.Params{
		Group: group, Cluster: t.cluster, Ingest: h, Channels: outboxes, Dead: letters, Client: dead, Tail: tail, Gauges: dlq.NewGauges(reg),
		Rules: map[string][]string{"both": {"calm", "rough"}, "calm": {"calm"}}, MaxReplays: maxReplays, Logger: log, Registry: reg,
	})
	byTopic := make(map[string]*dispatch.Outbox)
	for _, c := range t.channels() {
		config := dispatch.Config{Concurrency: concurrency, Retry: dispatch.DefaultRetry(), Breaker: dispatch.DefaultBreaker(), Timeout: 10 * time.Second, Ambiguous: dispatch.Resend}
		if t.partitions[c] == 1 {
			config.Pace = dispatch.Pace{Rate: 50, Burst: 10}
		}
		line := t.providers[c].of(n)
		o := dispatch.NewOutbox(dispatch.Params{
			Name: c, Channel: line, Driver: line, Config: config, Uncommitted: uncommitted, Group: group, Dead: letters, Elsewhere: outboxes, MaxReplays: maxReplays, Logger: log,
		})
		defer o.Close()
		byTopic[topics.Outbox(group, c)] = o
	}
	member := func(name, group string, names []string, own bool, handler consume.Handler) *consume.Member {
		opts := n.options(name)
		if t.eager {
			opts = append(opts, kgo.Balancers(kgo.RangeBalancer()))
		}
		return consume.New(consume.Params{
			Name: name, Group: group, Topics: names, OwnTopics: own, Cluster: t.cluster, Options: opts, InstanceID: n.instance,
			SessionTimeout: session, Window: consume.Window{Records: 128, Bytes: 8 << 20}, Drain: 5 * time.Second, Handler: witnessed{handler, n, group}, Logger: log, Registry: reg,
			Marked: t.sources(),
		})
	}
	first := member("match", group, append(t.sources(), topics.Replay(group)), false, bothKinds{replays: r, sources: h})
	moves := control.NewFollower(control.FollowerParams{
		Admin: kadm.NewClient(dead), Log: dlq.NewLog(dead), Group: group, Cluster: t.cluster, Logger: log,
		Move:  func(q control.Request) { byTopic[topics.Outbox(group, q.From)].Move(q) },
		Ended: func(q control.Request) { byTopic[topics.Outbox(group, q.From)].MoveEnded(q) },
	})
	deliver := dispatch.NewHandler(dispatch.HandlerParams{Outboxes: byTopic, Dead: dlq.NewLog(dead), Moves: moves.Known, Logger: log})
	second := member("deliver", topics.OutboxGroup(group), t.outboxTopics(), true, deliver)

	// They start from the last stage to the first and stop the other way round;
	// one that ends by itself ends the process.
	upper, stopUpper := context.WithCancel(n.ctx)
	lower, stopLower := context.WithCancel(context.Background())
	defer stopUpper()
	defer stopLower()
	var wg sync.WaitGroup
	var failures [2]error
	wg.Go(func() { _ = moves.Run(lower) })
	wg.Go(func() { failures[1] = second.Run(lower); stopUpper() })
	wg.Go(func() { failures[0] = first.Run(upper); stopLower() })
	wg.Wait()
	t.history.add(step{kind: ended, node: n.name, by: n.life, event: -1})
	for _, err := range failures {
		if err != nil && !n.wire.isCut() {
			t.history.note(complains, n.name, "%v", err)
		}
	}
	return nil
}

// bothKinds is the handler of stage one.
type bothKinds struct {
	replays *replay.Handler
	sources *ingest.Handler
}

// Handle implements consume.Handler.
func (h bothKinds) Handle(ctx context.Context, p *consume.Partition) {
	if p.Topic == topics.Replay(group) {
		h.replays.Handle(ctx, p)
		return
	}
	h.sources.Handle(ctx, p)
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

// journal puts into the history what a process logs about its partitions and
// what needs a person.
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
