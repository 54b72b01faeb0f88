package ingest

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/topics"
)

// Replays is the consume.Handler of the replay topic: it sends dead letters
// again as requests ask for it. A request means one version of one entry, and
// is settled when the entry has a later record: the tombstone that resolves it,
// or its next version. So an entry is sent at most once for each version,
// however many requests there are and whoever died in between, and nothing has
// to be remembered but the dead-letter topics themselves. Start reading at
// replaying.run.
type Replays struct {
	p        ReplayParams
	log      *slog.Logger
	outcomes *prometheus.CounterVec
}

// ReplayParams is what Replays needs.
type ReplayParams struct {
	Handler *Handler // of the sources: its rules, outboxes and dead letters
	Log     *dlq.Log
	Gauges  *dlq.Gauges
	Admin   *kadm.Client // asks how far outboxes have been sent
	// OutboxGroup is the group that reads the outboxes: how far it has come says
	// how many replays are before a live alert.
	OutboxGroup string
	// Rules names the rules there are and the channels that each can lead to.
	Rules    map[string][]string
	Registry prometheus.Registerer
}

// perChannel is how many replays of a channel may be under way at once, so
// that a live alert never has more of them before it.
const perChannel = 256

// NewReplays returns a handler.
func NewReplays(p ReplayParams) *Replays {
	h := &Replays{
		p: p, log: p.Handler.p.Logger.With("component", "replay"),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notifier_replays_total", Help: "Requests to send a dead letter again, by what became of them.",
		}, []string{"outcome"}),
	}
	for _, o := range []string{resolved, reopened, quarantined, dropped, foreign} {
		h.outcomes.WithLabelValues(o)
	}
	if p.Registry != nil {
		p.Registry.MustRegister(h.outcomes)
	}
	return h
}

// What becomes of a request.
const (
	resolved    = "resolved"    // the entry is closed
	reopened    = "reopened"    // it failed again
	quarantined = "quarantined" // and once too often
	dropped     = "dropped"     // there was nothing to do: another request, or a person, was first
	foreign     = "foreign"     // it is none that a command of ours writes
)

// request is one request that is not settled. There may be a million of them,
// so it is small.
type request struct {
	offset  int64 // in the replay topic
	version int64
	key     uint64 // the entry's in the fold
	epoch   int32
	run     *run
	line    *line
	source  uint8 // index into topics.All
	state   progress
	rematch bool
	to      bool
	force   bool
	edited  bool
}

// version is one version of one entry.
type version struct {
	key    uint64
	offset int64
}

type progress uint8

const (
	waiting progress = iota
	forwarded
	settled
)

// line is the requests of one channel, or of none yet, in order.
type line struct {
	channel   string
	queue     []*request
	forwarded int
}

// replaying is one assignment of the replay topic's partition.
type replaying struct {
	*Replays
	part *consume.Partition
	fold *dlq.Fold

	open        []*request // in order, from the first that is not settled
	byVersion   map[version]*request
	lines       map[string]*line
	forwarded   []*request
	runs        map[string]*run
	generations [3]int
	backlog     backlog
	moves       []*move // that are not done
	movesAsked  time.Time
	chunk       map[string][]*kgo.Record // what was last read of each topic, for the entries that follow
}

// Handle works through requests until the partition is revoked.
func (h *Replays) Handle(ctx context.Context, p *consume.Partition) {
	w := &replaying{
		Replays: h, part: p, fold: dlq.NewFold(h.p.Log, h.p.Handler.p.Group, h.log),
		byVersion: make(map[version]*request), lines: make(map[string]*line), runs: make(map[string]*run), chunk: make(map[string][]*kgo.Record),
	}
	h.p.Gauges.Show(w.fold)
	defer h.p.Gauges.Hide(w.fold)
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in := make(chan []*kgo.Record)
	wg.Go(func() { w.fold.Run(ctx) })
	wg.Go(func() { read(ctx, p, in) })
	w.run(ctx, in)
}

// read hands on what comes.
func read(ctx context.Context, p *consume.Partition, in chan<- []*kgo.Record) {
	for {
		records, err := p.Next(ctx)
		if err != nil {
			return
		}
		select {
		case in <- records:
		case <-ctx.Done():
			return
		}
	}
}

// lookAgain is how often requests are looked at that wait for something which
// nobody tells about.
const lookAgain = 500 * time.Millisecond

// run takes requests in, settles those whose entry has a later record, and
// forwards what may be, in this order, whenever something has changed. The
// first request is looked at once everything is folded that stood in the
// dead-letter topics before.
func (w *replaying) run(ctx context.Context, in <-chan []*kgo.Record) {
	select {
	case <-w.fold.Ready():
	case <-ctx.Done():
		return
	}
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		select {
		case records := <-in:
			ends := make(map[string]int64)
			for _, r := range records {
				w.take(ctx, r, ends)
			}
			w.part.Release()
		case <-w.fold.Changed():
		case <-tick.C:
			w.dropStale(ctx)
			w.endRuns(time.Now())
			w.endMoves(ctx, time.Now())
		case <-ctx.Done():
			return
		}
		w.settleAll()
		if !w.pump(ctx) {
			return
		}
		w.advance()
	}
}

// topic is the dead-letter topic that a request's entry stands in.
func (w *replaying) topic(n *request) string {
	return topics.DeadLetter(w.p.Handler.p.Group, topics.All()[n.source])
}

// settleAll settles the forwarded requests whose entry has a later record.
func (w *replaying) settleAll() {
	w.forwarded = slices.DeleteFunc(w.forwarded, func(n *request) bool {
		switch w.fold.Standing(w.topic(n), n.key, n.version) {
		case dlq.Gone:
			w.settle(n, resolved)
		case dlq.Rewritten:
			w.settle(n, reopened)
		case dlq.Isolated:
			w.settle(n, quarantined)
		default:
			return false
		}
		return true
	})
}

// settle says what became of a request: nothing more is owed for it.
func (w *replaying) settle(n *request, outcome string) {
	if n.state == forwarded {
		n.line.forwarded--
	}
	n.state = settled
	if w.byVersion[n.of()] == n {
		delete(w.byVersion, n.of())
	}
	w.outcomes.WithLabelValues(outcome).Inc()
	w.count(n.run, outcome)
}

// advance moves the watermark over what is settled.
func (w *replaying) advance() {
	i := 0
	for i < len(w.open) && w.open[i].state == settled {
		i++
	}
	if i == 0 {
		return
	}
	last := w.open[i-1]
	clear(w.open[:i])
	w.open = w.open[i:]
	w.part.AdvanceTo(offsets.Position{Epoch: last.epoch, Offset: last.offset + 1}, true)
}

// dropStale drops requests that mean a version which never was: of a topic
// that was deleted and made again since. Those that wait are looked at from the
// first of each line on, which is what holds up the others.
func (w *replaying) dropStale(ctx context.Context) {
	var anew [3]bool
	ends := make(map[string]int64)
	for i, source := range topics.All() {
		topic := topics.DeadLetter(w.p.Handler.p.Group, source)
		generation := w.fold.Generation(topic)
		anew[i], w.generations[i] = generation != w.generations[i], generation
		if anew[i] { // its offsets are other entries now
			delete(w.chunk, topic)
		}
	}
	stale := func(n *request) bool {
		topic := w.topic(n)
		if w.fold.Standing(topic, n.key, n.version) != dlq.Unknown {
			return false
		}
		end, known := w.end(ctx, topic, ends)
		if !known {
			return false
		}
		if anew[n.source] || n.version >= end {
			w.settle(n, dropped)
			return true
		}
		return false
	}
	for _, l := range w.lines {
		i := 0
		for i < len(l.queue) && stale(l.queue[i]) {
			i++
		}
		l.queue = l.queue[i:]
	}
	w.forwarded = slices.DeleteFunc(w.forwarded, stale)
}
