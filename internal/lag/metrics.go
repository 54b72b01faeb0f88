package lag

import (
	"math"
	"strconv"
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
	recordsDesc = prometheus.NewDesc("notifier_consumer_lag_records",
		"Records that wait for the consumer group in the partition.", []string{"group", "topic", "partition"}, nil)
	secondsDesc = prometheus.NewDesc("notifier_consumer_lag_seconds",
		"Age of the oldest record that waits for the consumer group in the topic; 0 when none waits.", []string{"group", "topic"}, nil)
)

// Describe implements prometheus.Collector.
func (m *Monitor) Describe(c chan<- *prometheus.Desc) {
	c <- lossDesc
	c <- lagDesc
	c <- oldestDesc
	c <- recordsDesc
	c <- secondsDesc
}

// Collect implements prometheus.Collector. What could not be looked at has no
// sample; ages go on while the brokers are gone.
func (m *Monitor) Collect(c chan<- prometheus.Metric) {
	now := time.Now()
	m.collectGroups(c, now)
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
		c <- prometheus.MustNewConstMetric(lagDesc, prometheus.GaugeValue, float64(b.Waiting), t.Channel)
		c <- prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, seconds(b.Oldest, now), t.Channel)
	}
}

// collectGroups shows the lag of every group of the last look, and so nothing
// of what is gone since.
func (m *Monitor) collectGroups(c chan<- prometheus.Metric, now time.Time) {
	m.mu.Lock()
	s := m.snapshot
	m.mu.Unlock()
	if s == nil {
		return
	}
	for i := range s.Groups {
		g := &s.Groups[i]
		for j := range g.Topics {
			t := &g.Topics[j]
			for k := range t.Partitions {
				if p := &t.Partitions[k]; p.Err == nil {
					c <- prometheus.MustNewConstMetric(recordsDesc, prometheus.GaugeValue, float64(p.Waiting), g.Name, t.Name, strconv.Itoa(int(p.ID)))
				}
			}
			if total := t.Total(); total.Aged {
				c <- prometheus.MustNewConstMetric(secondsDesc, prometheus.GaugeValue, seconds(total.Oldest, now), g.Name, t.Name)
			}
		}
	}
}

// seconds is the age of what was written then; 0 where there is none.
func seconds(oldest, now time.Time) float64 {
	if oldest.IsZero() {
		return 0
	}
	return max(now.Sub(oldest).Seconds(), 0)
}
