package kafka

import (
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// EndsSoon is how long before its end a certificate is warned about.
const EndsSoon = 14 * 24 * time.Hour

// CertificateFinding is what is wrong, or soon will be, with a certificate that
// connections depend on.
type CertificateFinding struct {
	Of   string // kafka.tls.cert, or a broker's address
	Ends time.Time
	// Exit is what a start without a valid certificate ends with; 0: it is valid.
	Exit int
	Text string
}

// Findings looks at our certificate, as its file is now, and at those that
// brokers have shown in the connections made so far. Without TLS there are none.
func (t *TLS) Findings(now time.Time) []CertificateFinding {
	if !t.Enabled || t.wire == nil {
		return nil
	}
	var list []CertificateFinding
	if pair := t.wire.refresh().pair; pair != nil {
		const of = "kafka.tls.cert"
		leaf := pair.Leaf
		found := CertificateFinding{Of: of, Ends: leaf.NotAfter, Text: fmt.Sprintf("our certificate in %s ", t.Cert)}
		switch {
		case now.Before(leaf.NotBefore):
			found.Exit, found.Text = ExitUnavailable, found.Text+outOfTime(leaf, now, "")
		case now.After(leaf.NotAfter):
			found.Exit, found.Text = ExitConfig, found.Text+outOfTime(leaf, now, "put a new one there; it is read without a restart")
		case len(leaf.ExtKeyUsage) > 0 && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny):
			found.Text += fmt.Sprintf("is not one for clients: %s has no extended key usage clientAuth, and brokers refuse it", describe(leaf))
		case now.Add(EndsSoon).After(leaf.NotAfter):
			found.Text += soon(describe(leaf), leaf.NotAfter, now)
		default:
			found.Text = ""
		}
		if found.Text != "" {
			list = append(list, found)
		}
	}
	t.wire.mu.Lock()
	defer t.wire.mu.Unlock()
	for _, address := range slices.Sorted(maps.Keys(t.wire.shown)) {
		if s := t.wire.shown[address]; now.Add(EndsSoon).After(s.ends) {
			list = append(list, CertificateFinding{Of: address, Ends: s.ends, Text: fmt.Sprintf("the certificate of %s ", address) + soon(s.what, s.ends, now)})
		}
	}
	return list
}

func soon(what string, ends, now time.Time) string {
	days := int(ends.Sub(now).Hours() / 24)
	return fmt.Sprintf("ends in %s: %s is valid until %s", count(days, "day"), what, stamp(ends))
}

// The certificates of the metric.
const (
	clientCertificate = "client"
	brokerCertificate = "broker"
)

// expiry is the metric of when certificates end.
type expiry struct {
	wire *wire
	desc *prometheus.Desc
}

func newExpiry(w *wire) expiry {
	return expiry{w, prometheus.NewDesc("notifier_certificate_expiry_timestamp_seconds",
		"When a certificate of the connections to the brokers ends, in seconds since 1970: ours (client), and of the chains that brokers have shown the first to end (broker).",
		[]string{"certificate"}, nil)}
}

// Describe implements prometheus.Collector.
func (e expiry) Describe(c chan<- *prometheus.Desc) { c <- e.desc }

// Collect implements prometheus.Collector.
func (e expiry) Collect(c chan<- prometheus.Metric) {
	held := e.wire.refresh()
	if held.pair != nil {
		c <- prometheus.MustNewConstMetric(e.desc, prometheus.GaugeValue, float64(held.pair.Leaf.NotAfter.Unix()), clientCertificate)
	}
	e.wire.mu.Lock()
	defer e.wire.mu.Unlock()
	var first time.Time
	for _, s := range e.wire.shown {
		if first.IsZero() || s.ends.Before(first) {
			first = s.ends
		}
	}
	if !first.IsZero() {
		c <- prometheus.MustNewConstMetric(e.desc, prometheus.GaugeValue, float64(first.Unix()), brokerCertificate)
	}
}
