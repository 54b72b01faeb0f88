package dlq

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/algotrade/notifier/internal/topics"
)

// Gauges shows how many dead letters are open and how old the oldest is. Only
// the process that indexes them, the owner of the replay partition, has them.
type Gauges struct {
	mu    sync.Mutex
	index *Index
}

// NewGauges registers the gauges.
func NewGauges(reg prometheus.Registerer) *Gauges {
	g := &Gauges{}
	if reg != nil {
		reg.MustRegister(g)
	}
	return g
}

// Show has the gauges show an index until Hide is called for it.
func (g *Gauges) Show(x *Index) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.index = x
}

// Hide has the gauges show nothing, unless they show another index by now.
func (g *Gauges) Hide(x *Index) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.index == x {
		g.index = nil
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
	x := g.index
	g.mu.Unlock()
	if x == nil {
		return
	}
	x.each(func(source topics.Name, n int, oldest time.Time) {
		age := 0.0
		if n > 0 {
			age = max(0, time.Since(oldest).Seconds())
		}
		c <- prometheus.MustNewConstMetric(openDesc, prometheus.GaugeValue, float64(n), string(source))
		c <- prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, age, string(source))
	})
}
