package check_test

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/check"
)

func TestCertificateExpiryIsThatOfChain(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	ends := func(days ...int) []*x509.Certificate {
		var chain []*x509.Certificate
		for _, d := range days {
			chain = append(chain, &x509.Certificate{NotAfter: now.AddDate(0, 0, d)})
		}
		return chain
	}
	for _, c := range []struct {
		chains [][]*x509.Certificate
		want   check.Status
		text   string
	}{
		{[][]*x509.Certificate{ends(90, 3650)}, check.OK, "TLS 1.3, certificate until 24 Feb 2027"},
		{[][]*x509.Certificate{ends(90, 3)}, check.Warning, "TLS 1.3, certificate until 29 Nov 2026, in 3 days"},
		{[][]*x509.Certificate{ends(90, 3), ends(90, 3650)}, check.OK, "TLS 1.3, certificate until 24 Feb 2027"},
		{nil, check.Skipped, "TLS 1.3, its certificate was not verified"},
	} {
		f := check.Certificate("x", tls.ConnectionState{Version: tls.VersionTLS13, VerifiedChains: c.chains}, now)
		if f.Status != c.want || f.Message != c.text {
			t.Errorf("%+v, want %s %q", f, c.want, c.text)
		}
	}
}
