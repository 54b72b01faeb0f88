package ingest

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/algotrade/notifier/internal/alert"
)

type metrics struct {
	topics map[string]*topicMetrics
	alerts *prometheus.CounterVec
}

// topicMetrics are the counters of one topic, looked up once: a quiet record
// costs one atomic addition.
type topicMetrics struct {
	ignored, alerted, cleared, deadLettered, skipped prometheus.Counter
}

func newMetrics(p Params) *metrics {
	records := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "notifier_records_total", Help: "Source records by what became of them.",
	}, []string{"topic", "outcome"})
	m := &metrics{
		topics: make(map[string]*topicMetrics),
		alerts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notifier_alerts_total", Help: "Alerts raised by rules.",
		}, []string{"rule", "severity"}),
	}
	for _, t := range p.Topics {
		m.topics[t] = &topicMetrics{
			ignored:      records.WithLabelValues(t, "ignored"),
			alerted:      records.WithLabelValues(t, "alerted"),
			cleared:      records.WithLabelValues(t, "cleared"),
			deadLettered: records.WithLabelValues(t, "dead_lettered"),
			skipped:      records.WithLabelValues(t, "skipped"),
		}
	}
	if p.Registry != nil {
		p.Registry.MustRegister(records, m.alerts)
	}
	return m
}

// create creates the counters of rules at zero.
func (m *metrics) create(names []RuleName) {
	for _, r := range names {
		m.alerts.WithLabelValues(r.Rule, string(r.Severity))
	}
}

func (m *metrics) topic(name string) *topicMetrics { return m.topics[name] }

func (m *metrics) alert(a *alert.Alert) {
	m.alerts.WithLabelValues(a.Rule, string(a.Severity)).Inc()
}
