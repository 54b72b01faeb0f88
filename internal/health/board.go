package health

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Every is how often the log repeats a trouble that lasts.
const Every = time.Minute

// Trouble is one thing that is wrong.
type Trouble struct {
	Kind    Kind
	Subject string // a topic, topic/partition, group, channel/rule; empty where there is only one
	// Problem is a sentence that names the cause and what to do about it.
	Problem string
	// Lease makes it over when it is not reported for so long; 0: it lasts
	// until Over. It is for what shows only by an error that repeats.
	Lease time.Duration
	// Attrs are further attributes of its lines in the log.
	Attrs []any
	// Since is when it began; set by the board.
	Since time.Time
}

// Board holds what is wrong now. The zero value is not usable: see New.
type Board struct {
	log   *slog.Logger
	gauge *prometheus.GaugeVec

	mu   sync.Mutex
	open map[key]*entry
}

type key struct {
	kind    Kind
	subject string
}

type entry struct {
	Trouble
	renewed, said time.Time
}

// New returns a board on which nothing is wrong. Its metric registers with
// reg; nil: with none.
func New(log *slog.Logger, reg prometheus.Registerer) *Board {
	b := &Board{
		log: log.With("component", "trouble"),
		gauge: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "notifier_trouble", Help: "How many topics, partitions, groups or rules of a channel are in this kind of trouble now; see docs/standstill.md.",
		}, []string{"kind"}),
		open: make(map[key]*entry),
	}
	for kind := range words {
		b.gauge.WithLabelValues(string(kind))
	}
	if reg != nil {
		reg.MustRegister(b.gauge)
	}
	return b
}

// Report says that something is wrong, or still is. It is logged at once, and
// then by Tick every minute with what was reported last.
func (b *Board) Report(t Trouble) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	k := key{t.Kind, t.Subject}
	e := b.open[k]
	if e == nil {
		e = &entry{}
		b.open[k] = e
		t.Since = now
		b.gauge.WithLabelValues(string(t.Kind)).Inc()
	} else {
		t.Since = e.Since
	}
	e.Trouble, e.renewed = t, now
	b.say(e, now)
}

// say writes a line unless there was one within Every; b.mu is held.
func (b *Board) say(e *entry, now time.Time) {
	if !e.said.IsZero() && now.Sub(e.said) < Every {
		return
	}
	attrs := append(slices.Clone(e.Attrs), "problem", e.Problem)
	if !e.said.IsZero() {
		attrs = append(attrs, "since", e.Since.UTC().Format(time.RFC3339))
	}
	e.said = now
	w := words[e.Kind]
	b.log.Log(context.Background(), w.level, w.begun, attrs...)
}

// Over says that something is no longer wrong; where it was not, it does
// nothing.
func (b *Board) Over(kind Kind, subject string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.open[key{kind, subject}]; e != nil {
		b.over(e, time.Now())
	}
}

func (b *Board) over(e *entry, now time.Time) {
	b.remove(e)
	b.log.Info(words[e.Kind].over, append(slices.Clone(e.Attrs), "lasted", now.Sub(e.Since).Round(time.Second))...)
}

func (b *Board) remove(e *entry) {
	delete(b.open, key{e.Kind, e.Subject})
	b.gauge.WithLabelValues(string(e.Kind)).Dec()
}

// Forget drops what is wrong with a subject that is no longer ours.
func (b *Board) Forget(subject string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for k, e := range b.open {
		if k.subject == subject {
			b.remove(e)
		}
	}
}

// Tick ends what was leased and not reported since, and repeats in the log
// what lasts. Whoever watches calls it every few seconds.
func (b *Board) Tick() {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	for _, e := range b.sorted() {
		if e.Lease > 0 && now.Sub(e.renewed) > e.Lease {
			b.over(e, now)
			continue
		}
		b.say(e, now)
	}
}

// Longest returns of the troubles of a kind the one that has been reported for
// the longest time, from its first report to its last, and that time.
func (b *Board) Longest(kind Kind) (t Trouble, lasted time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.sorted() {
		if d := e.renewed.Sub(e.Since); e.Kind == kind && d > lasted {
			t, lasted = e.Trouble, d
		}
	}
	return t, lasted
}

// Text returns the sentences of what is wrong of these kinds; empty when
// nothing is.
func (b *Board) Text(kinds ...Kind) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	for _, e := range b.sorted() {
		if slices.Contains(kinds, e.Kind) {
			text := e.Problem
			if e.Subject != "" && !strings.Contains(text, e.Subject) {
				text = e.Subject + ": " + text
			}
			all = append(all, text)
		}
	}
	return strings.Join(all, "; ")
}

// sorted returns the open troubles, oldest first; b.mu is held.
func (b *Board) sorted() []*entry {
	all := make([]*entry, 0, len(b.open))
	for _, e := range b.open {
		all = append(all, e)
	}
	slices.SortFunc(all, func(x, y *entry) int {
		if d := x.Since.Compare(y.Since); d != 0 {
			return d
		}
		return strings.Compare(x.Subject+string(x.Kind), y.Subject+string(y.Kind))
	})
	return all
}
