package dlq

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/algotrade/notifier/internal/topics"
)

// open returns, by source topic, how many entries are open and when the oldest
// of them first failed, to the minute.
func (f *Fold) open(yield func(source topics.Name, n int, oldest time.Time)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, t := range f.topics {
		if t.oldest == 0 {
			for _, s := range t.entries {
				if t.oldest == 0 || s.minutes() < t.oldest {
					t.oldest = s.minutes()
				}
			}
		}
		yield(f.source[name], len(t.entries), time.Unix(epoch2020+60*t.oldest, 0))
	}
}

// Gauges shows how many dead letters are open and how old the oldest is. Only
// the process that folds them, the one with the replay partition, has them.
type Gauges struct {
	mu   sync.Mutex
	fold *Fold
}

// NewGauges registers the gauges.
func NewGauges(reg prometheus.Registerer) *Gauges {
	g := &Gauges{}
	if reg != nil {
		reg.MustRegister(g)
	}
	return g
}

// Show has the gauges show a fold until Hide is called for it.
func (g *Gauges) Show(f *Fold) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fold = f
}

// Hide has the gauges show nothing, unless they show another fold by now.
func (g *Gauges) Hide(f *Fold) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fold == f {
		g.fold = nil
	}
}

var (
	openDesc   = prometheus.NewDesc("notifier_dead_letters_open", "Dead letters that are neither resolved nor discarded; shown by the process that owns the replay partition.", []string{"topic"}, nil)
	oldestDesc = prometheus.NewDesc("notifier_dead_letter_oldest_seconds", "Time since the oldest open dead letter first failed; 0 when there is none.", []string{"topic"}, nil)
)

// Describe implements prometheus.Collector.
func (g *Gauges) Describe(c chan<- *prometheus.Desc) {
	c <- openDesc
	c <- oldestDesc
}

// Collect implements prometheus.Collector.
func (g *Gauges) Collect(c chan<- prometheus.Metric) {
	g.mu.Lock()
	f := g.fold
	g.mu.Unlock()
	if f == nil {
		return
	}
	f.open(func(source topics.Name, n int, oldest time.Time) {
		age := 0.0
		if n > 0 {
			age = max(0, time.Since(oldest).Seconds())
		}
		c <- prometheus.MustNewConstMetric(openDesc, prometheus.GaugeValue, float64(n), string(source))
		c <- prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, age, string(source))
	})
}
