package lag

import (
	"math"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	lossDesc = prometheus.NewDesc("notifier_time_until_loss_seconds",
		"Time until retention may delete the oldest waiting record; +Inf: nothing waits, or retention is unlimited; negative: at any time.", []string{"topic"}, nil)
	lagDesc = prometheus.NewDesc("notifier_outbox_lag_records",
		"Alerts that wait for the channel, in the outbox and in memory.", []string{"channel"}, nil)
	oldestDesc = prometheus.NewDesc("notifier_outbox_oldest_seconds",
		"Age of the oldest alert that waits for the channel; 0: none waits.", []string{"channel"}, nil)
	recordsDesc = prometheus.NewDesc("notifier_consumer_lag_records",
		"Lag of the consumer group in the partition.", []string{"group", "topic", "partition"}, nil)
	secondsDesc = prometheus.NewDesc("notifier_consumer_lag_seconds",
		"Age of the oldest record that waits for the consumer group in the topic; 0: none waits.", []string{"group", "topic"}, nil)
)

// Describe implements prometheus.Collector.
func (m *Monitor) Describe(c chan<- *prometheus.Desc) {
	c <- lossDesc
	c <- lagDesc
	c <- oldestDesc
	c <- recordsDesc
	c <- secondsDesc
}

// Collect implements prometheus.Collector. Unknown lag has no sample. Ages still increase
// while the brokers are unreachable.
func (m *Monitor) Collect(c chan<- prometheus.Metric) {
	now := time.Now()
	m.collectGroups(c, now)
	for _, t := range m.p.Topics {
		b := m.Backlog(t.Name)
		if !b.Known {
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

// collectGroups collects the lag of the groups in the last sample.
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

// seconds returns the age; 0 for a zero time.
func seconds(oldest, now time.Time) float64 {
	if oldest.IsZero() {
		return 0
	}
	return max(now.Sub(oldest).Seconds(), 0)
}
