package kafka

import (
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/algotrade/notifier/internal/plural"
)

// ExpiryWarning is how long before its expiry a certificate is reported.
const ExpiryWarning = 14 * 24 * time.Hour

// ownCertificate is CertificateProblem.Of for the client certificate.
const ownCertificate = "kafka.tls.cert"

// CertificateProblem is a problem of a certificate, such as its expiry.
type CertificateProblem struct {
	Of   string // ownCertificate, or a broker's address
	Ends time.Time
	Exit int // exit code of a start with this certificate; 0: it is valid
	Text string
}

// CertificateProblems checks the current client certificate and the certificates that
// brokers presented so far. Without TLS there are none.
func (t *TLS) CertificateProblems(now time.Time) []CertificateProblem {
	if !t.Enabled || t.wire == nil {
		return nil
	}
	var list []CertificateProblem
	if pair := t.wire.refresh().pair; pair != nil {
		leaf := pair.Leaf
		found := CertificateProblem{Of: ownCertificate, Ends: leaf.NotAfter, Text: fmt.Sprintf("the client certificate in %s ", t.Cert)}
		switch {
		case now.Before(leaf.NotBefore):
			found.Exit, found.Text = ExitUnavailable, found.Text+outOfTime(leaf, now, "")
		case now.After(leaf.NotAfter):
			found.Exit, found.Text = ExitConfig, found.Text+outOfTime(leaf, now, "replace the file; no restart is needed")
		case len(leaf.ExtKeyUsage) > 0 && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny):
			found.Text += fmt.Sprintf("is not a client certificate: %s lacks the extended key usage clientAuth, and brokers reject it", describe(leaf))
		case now.Add(ExpiryWarning).After(leaf.NotAfter):
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
	for _, address := range slices.Sorted(maps.Keys(t.wire.brokers)) {
		if s := t.wire.brokers[address]; now.Add(ExpiryWarning).After(s.ends) {
			list = append(list, CertificateProblem{Of: address, Ends: s.ends, Text: fmt.Sprintf("the certificate of %s ", address) + soon(s.name, s.ends, now)})
		}
	}
	return list
}

func soon(name string, ends, now time.Time) string {
	days := int(ends.Sub(now).Hours() / 24)
	return fmt.Sprintf("expires in %s: %s is valid until %s", plural.Count(days, "day"), name, stamp(ends))
}

// Values of the metric's label.
const (
	clientCertificate = "client"
	brokerCertificate = "broker"
)

// expiry collects notifier_certificate_expiry_timestamp_seconds.
type expiry struct {
	wire *wire
	desc *prometheus.Desc
}

func newExpiry(w *wire) expiry {
	return expiry{w, prometheus.NewDesc("notifier_certificate_expiry_timestamp_seconds",
		"Expiry of certificates of the broker connections, in seconds since 1970: the client certificate (client), and the first to expire in the brokers' chains (broker).",
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
	for _, s := range e.wire.brokers {
		if first.IsZero() || s.ends.Before(first) {
			first = s.ends
		}
	}
	if !first.IsZero() {
		c <- prometheus.MustNewConstMetric(e.desc, prometheus.GaugeValue, float64(first.Unix()), brokerCertificate)
	}
}
