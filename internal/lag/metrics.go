package lag

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	lossDesc = prometheus.NewDesc("notifier_time_until_loss_seconds",
		"Until when at least the oldest waiting record is kept, from now; +Inf where none waits or it is kept for ever, below zero where it may be gone at any time.", []string{"topic"}, nil)
	lagDesc = prometheus.NewDesc("notifier_outbox_lag_records",
		"Alerts that wait for the channel, in the brokers and here.", []string{"channel"}, nil)
	oldestDesc = prometheus.NewDesc("notifier_outbox_oldest_seconds",
		"How long the oldest alert has waited for the channel; 0 when none waits.", []string{"channel"}, nil)
)

// Describe implements prometheus.Collector.
func (m *Monitor) Describe(c chan<- *prometheus.Desc) {
	c <- lossDesc
	c <- lagDesc
	c <- oldestDesc
}

// Collect implements prometheus.Collector. A topic that could not be looked at
// has no sample; ages go on while the brokers are gone.
func (m *Monitor) Collect(c chan<- prometheus.Metric) {
	now := time.Now()
	for _, t := range m.p.Topics {
		b := m.Backlog(t.Name)
		if !b.Looked {
			continue
		}
		left := math.Inf(1)
		if d, deletes := b.Left(now); deletes {
			left = d.Seconds()
		}
		c <- prometheus.MustNewConstMetric(lossDesc, prometheus.GaugeValue, left, t.Name)
		if t.Channel == "" {
			continue
		}
		age := 0.0
		if !b.Oldest.IsZero() {
			age = max(now.Sub(b.Oldest).Seconds(), 0)
		}
		c <- prometheus.MustNewConstMetric(lagDesc, prometheus.GaugeValue, float64(b.Waiting), t.Channel)
		c <- prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, age, t.Channel)
	}
}
