// Package replay sends dead letters again. A command plans which (Plan) and
// writes a Request for each (Runner); the Handler of the replay topic carries
// the requests out. Start reading at Superseded, then Handler.Handle.
package replay

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/offsets"
)

// Handler is the consume.Handler of the replay topic. A request names one
// version of one entry, and is settled when the entry has a later record: the
// tombstone that resolves it, or its next version. So an entry is sent at most
// once for each version, however many requests there are and whichever process
// died in between, and the dead-letter topics are all the state there is.
type Handler struct {
	p        Params
	log      *slog.Logger
	reader   *dlq.Reader
	admin    *kadm.Client
	outcomes *prometheus.CounterVec
}

// Params is what a Handler needs.
type Params struct {
	Group, Cluster string
	Ingest         Ingest
	Channels       interface{ Has(channel string) bool } // those that are configured
	Dead           *dlq.Writer
	Client         *kgo.Client // reads entries and offsets
	Tail           *kgo.Client // made with dlq.TailOptions
	Gauges         *dlq.Gauges
	// Rules returns the channels that a rule can lead to, and whether there is the rule.
	Rules func(name string) (channels []string, there bool)
	// MaxReplays is after how many replays a dead letter is quarantined.
	MaxReplays int
	Tracer     *tracing.Tracer // nil: no spans
	Logger     *slog.Logger
	Registry   prometheus.Registerer
}

// Ingest is the ingest stage, as far as replays go through it.
type Ingest interface {
	// MatchWaiting returns the alerts that a record raises; arrived is when it was first
	// read. It waits for a schema; hold is told why. An error is event.ErrTombstone or an
	// *outcome.Error; false: ctx ended first.
	MatchWaiting(ctx context.Context, r *kgo.Record, arrived, now time.Time, hold func(reason string)) (alerts []alert.Alert, err error, ok bool)
	// Identity returns what the ids of a record's alerts are made of.
	Identity(s envelope.Source) alert.Source
	// Raise gives an alert its id and counts it.
	Raise(a *alert.Alert, source alert.Source)
	// Write writes outbox records and dead letters and returns the outbox records
	// once all are acknowledged, as those of a partition whose records led to
	// them; false: ctx ended first. An alert that does not fit becomes a dead
	// letter. blocked is told why nothing can be written; "" that it can.
	Write(ctx context.Context, p *consume.Partition, deliveries []*envelope.Envelope, dead []*dlq.Entry, blocked func(reason string)) (written []*kgo.Record, ok bool)
}

// perChannel is how many replays of a channel may be under way at once, so
// that a live alert never has more of them before it.
const perChannel = 256

// New returns a handler.
func New(p Params) *Handler {
	h := &Handler{
		p: p, log: p.Logger.With("component", "replay"), reader: dlq.NewReader(p.Client, p.Group), admin: kadm.NewClient(p.Client),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notifier_replays_total", Help: "Requests to send a dead letter or an alert again, by what became of them.",
		}, []string{"outcome"}),
	}
	for _, o := range []string{resolved, reopened, quarantined, resent, dropped, foreign} {
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
	resent      = "resent"      // an alert was put into an outbox again
	dropped     = "dropped"     // there was nothing to do: another request, or a person, was first
	foreign     = "foreign"     // it is none that a command of ours writes
)

// request is a request that is not settled. There may be a million of them.
type request struct {
	offset  int64  // in the replay topic
	topic   string // the entry's dead-letter topic
	version version
	epoch   int32
	run     *run
	line    *line
	state   progress
	rematch bool
	to      bool
	force   bool
	edited  bool
	resend  *Resend // nil: it is for a dead letter
}

// version is one version of one entry.
type version struct {
	entry  dlq.Key
	offset int64
}

type progress uint8

const (
	waiting progress = iota
	forwarded
	done
)

// line is the requests of one channel, or of none yet, in order.
type line struct {
	channel   string
	queue     []*request
	forwarded int
	writing   bool // its last batch is not acknowledged
}

// assignment is one assignment of the replay topic's partition.
type assignment struct {
	*Handler
	part  *consume.Partition
	index *dlq.Index

	open        []*request // in order, from the first that is not settled
	byVersion   map[version]*request
	lines       map[string]*line
	forwarded   []*request
	runs        map[string]*run
	generations map[string]int // of the dead-letter topics
	backlog     backlog
	moves       moves
	chunk       map[string][]*kgo.Record // what was last read of each topic, for the entries that follow

	writes  sync.WaitGroup
	written chan *batch // acknowledged

	mu      sync.Mutex
	reasons map[*line]string // why lines wait
}

// Handle works through requests until the partition is revoked.
func (h *Handler) Handle(ctx context.Context, p *consume.Partition) {
	a := &assignment{
		Handler: h, part: p, index: dlq.NewIndex(h.p.Group, h.reader, h.p.Tail, h.log),
		byVersion: make(map[version]*request), lines: make(map[string]*line), runs: make(map[string]*run),
		generations: make(map[string]int), moves: moves{Handler: h}, chunk: make(map[string][]*kgo.Record),
		written: make(chan *batch), reasons: make(map[*line]string),
	}
	h.p.Gauges.Show(a.index)
	defer h.p.Gauges.Hide(a.index)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer a.writes.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in := make(chan []*kgo.Record)
	wg.Go(func() { a.index.Run(ctx) })
	wg.Go(func() { read(ctx, p, in) })
	a.work(ctx, in)
}

// read passes records on.
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
// nothing announces.
const lookAgain = 500 * time.Millisecond

// work takes requests in, settles those whose entry has a later record, and
// forwards what may be, in this order, whenever something has changed. It
// begins once the index is ready.
func (a *assignment) work(ctx context.Context, in <-chan []*kgo.Record) {
	select {
	case <-a.index.Ready():
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
				a.take(ctx, r, ends)
			}
			a.part.Release()
		case b := <-a.written:
			a.wrote(b)
		case <-a.index.Changed():
		case <-tick.C:
			a.dropStale(ctx)
			a.endRuns(time.Now())
			a.moves.end(ctx, time.Now())
		case <-ctx.Done():
			return
		}
		a.settleAll()
		if !a.pump(ctx) {
			return
		}
		a.advance()
	}
}

// status returns what became of the version that a request names.
func (a *assignment) status(q *request) Status {
	return StatusOf(q.version.offset, a.index.Last(q.topic, q.version.entry))
}

// settleAll settles the forwarded requests whose entry has a later record.
func (a *assignment) settleAll() {
	a.forwarded = slices.DeleteFunc(a.forwarded, func(q *request) bool {
		switch a.status(q) {
		case Closed:
			a.settle(q, resolved)
		case Reopened:
			a.settle(q, reopened)
		case Quarantined:
			a.settle(q, quarantined)
		default:
			return false
		}
		return true
	})
}

// settle notes what became of a request.
func (a *assignment) settle(q *request, outcome string) {
	if q.state == forwarded {
		q.line.forwarded--
	}
	q.state = done
	if a.byVersion[q.version] == q {
		delete(a.byVersion, q.version)
	}
	a.outcomes.WithLabelValues(outcome).Inc()
	a.count(q.run, outcome)
}

// advance moves the watermark over what is settled.
func (a *assignment) advance() {
	i := 0
	for i < len(a.open) && a.open[i].state == done {
		i++
	}
	if i == 0 {
		return
	}
	last := a.open[i-1]
	clear(a.open[:i])
	a.open = a.open[i:]
	a.part.AdvanceTo(offsets.Position{Epoch: last.epoch, Offset: last.offset + 1}, 1)
}
