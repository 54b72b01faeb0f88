package kafka

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// wellNamed drops kprom's gauges of buffered records, whose names end in _total
// against the naming rules of promtool.
type wellNamed struct{ prometheus.Registerer }

// Register implements prometheus.Registerer.
func (r wellNamed) Register(c prometheus.Collector) error {
	if g, ok := c.(prometheus.GaugeFunc); ok && strings.Contains(g.Desc().String(), `_records_total"`) {
		return nil
	}
	return r.Registerer.Register(c)
}

// MustRegister implements prometheus.Registerer.
func (r wellNamed) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		if err := r.Register(c); err != nil {
			panic(err)
		}
	}
}
