package dlq

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Gauges shows how many dead letters are open and how old the oldest is, in the
// process that indexes them: the owner of the replay partition.
type Gauges struct{ index atomic.Pointer[Index] }

// NewGauges registers the gauges.
func NewGauges(reg prometheus.Registerer) *Gauges {
	g := &Gauges{}
	if reg != nil {
		reg.MustRegister(g)
	}
	return g
}

// Show has the gauges show an index until Hide is called for it.
func (g *Gauges) Show(x *Index) { g.index.Store(x) }

// Hide has the gauges show nothing, unless they show another index.
func (g *Gauges) Hide(x *Index) { g.index.CompareAndSwap(x, nil) }

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
	x := g.index.Load()
	if x == nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	now := time.Now().Unix()
	for _, t := range x.topics {
		oldest := now
		for _, v := range t.entries {
			oldest = min(oldest, v.failed)
		}
		c <- prometheus.MustNewConstMetric(openDesc, prometheus.GaugeValue, float64(len(t.entries)), string(t.source))
		c <- prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, float64(now-oldest), string(t.source))
	}
}
