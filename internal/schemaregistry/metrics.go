package schemaregistry

import "github.com/prometheus/client_golang/prometheus"

// Metrics are those of a Client.
type Metrics struct{ tries *prometheus.CounterVec }

// NewMetrics returns metrics at zero. A nil reg registers none.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{tries: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "notifier_schema_fetches_total",
		Help: "Attempts to fetch a schema from the schema registry, by result: ok, absent (the registry does not have it), refused (401 or 403) or failed.",
	}, []string{"result"})}
	for _, result := range results {
		m.tries.WithLabelValues(result)
	}
	if reg != nil {
		reg.MustRegister(m.tries)
	}
	return m
}
