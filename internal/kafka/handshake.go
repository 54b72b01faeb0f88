package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// tlsProblem explains a failed handshake or a rejected certificate; nil for other
// errors. A *handshakeError overrides address.
func tlsProblem(err error, address string, c *Config, now time.Time) *Problem {
	requested := false // a client certificate
	var handshake *handshakeError
	if errors.As(err, &handshake) {
		address, requested = handshake.address, handshake.certRequested
	}
	if c.TLS.wire != nil {
		requested = requested || c.TLS.wire.certRequested(c.Brokers)
	}
	var unknown x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var first *kgo.ErrFirstReadEOF
	switch {
	case errors.As(err, &unknown):
		return problemf(ExitConfig, "%s presents a certificate signed by an unknown authority: %s, signed by %s; %s", address,
			describe(unknown.Cert), signer(unknown.Cert), c.TLS.describeTrust(unknown.Cert))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert.IsCA:
		return problemf(ExitConfig, "%s presents a certificate whose authority %s", address, outOfTime(invalid.Cert, now, "add its new certificate to kafka.tls.ca"))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return problemf(ExitUnavailable, "%s presents a certificate that %s", address, outOfTime(invalid.Cert, now, "renew it"))
	case errors.As(err, &hostname):
		host, _, _ := net.SplitHostPort(address)
		return problemf(ExitConfig, "%s presents a certificate for %s (%s), not for %s: use one of its names in kafka.brokers and advertised.listeners, or issue one for %s",
			address, names(hostname.Certificate), describe(hostname.Certificate), host, host)
	case errors.As(err, &verification):
		return problemf(ExitConfig, "%s presents a certificate that fails verification: %v", address, verification.Err)
	case errors.As(err, &record), strings.Contains(err.Error(), "first record does not look like a TLS handshake"):
		return problemf(ExitConfig, "%s does not support TLS on this port: set kafka.tls.enabled to false, or use the TLS port", address)
	case handshake != nil && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
		// A load balancer without backends does the same, so this is retried.
		return problemf(ExitUnavailable, "%s closed the connection during the handshake: it may not support TLS on this port; see kafka.tls", address)
	case strings.Contains(err.Error(), "tls alert record"):
		return problemf(ExitConfig, "%s requires TLS: set kafka.tls.enabled to true", address)
	}
	_, alert, rejected := strings.Cut(err.Error(), "remote error: tls: ")
	switch {
	case requested && (rejected || errors.As(err, &first)):
		return c.TLS.rejectedBy(address, alert)
	case rejected:
		return problemf(ExitConfig, "%s rejected the handshake (%s): it may require a TLS version other than 1.2 and 1.3", address, alert)
	}
	return nil
}

// rejectedBy explains why a broker rejects the client certificate.
func (t *TLS) rejectedBy(address, alert string) *Problem {
	if t.Cert == "" {
		return problemf(ExitConfig, "%s requires a client certificate: set kafka.tls.cert and kafka.tls.key", address)
	}
	if alert == "" {
		alert = "without a reason"
	}
	leaf := t.wire.refresh().pair.Leaf
	return problemf(ExitDenied, "%s rejected the client certificate (%s): %s in %s, signed by %s, valid until %s: the brokers must trust that authority, and the certificate must allow client authentication",
		address, alert, describe(leaf), t.Cert, signer(leaf), stamp(leaf.NotAfter))
}

// describeTrust names the trusted authorities, and the remedy for c's issuer,
// which is not among them.
func (t *TLS) describeTrust(c *x509.Certificate) string {
	if t.CA == "" {
		return "the system does not trust it: set kafka.tls.ca to a file with its certificate"
	}
	var known []string
	for _, a := range t.wire.refresh().authorities {
		text := describe(a)
		if a.Subject.String() == c.Issuer.String() {
			text += " (same name, different key)"
		}
		known = append(known, text)
	}
	return fmt.Sprintf("%s contains %s: add its certificate", t.CA, strings.Join(known, "; "))
}

// signer names the issuer of a certificate.
func signer(c *x509.Certificate) string {
	if c.Issuer.String() == c.Subject.String() {
		return "itself"
	}
	return c.Issuer.String()
}

// outOfTime describes a certificate that is not valid now; remedy is for an
// expired one.
func outOfTime(c *x509.Certificate, now time.Time, remedy string) string {
	span := fmt.Sprintf("%s is valid from %s until %s, this host's time is %s", describe(c), stamp(c.NotBefore), stamp(c.NotAfter), stamp(now))
	if now.Before(c.NotBefore) {
		return fmt.Sprintf("is not valid yet: %s: check this host's clock", span)
	}
	return fmt.Sprintf("has expired: %s: %s", span, remedy)
}

// names lists the hosts of a certificate.
func names(c *x509.Certificate) string {
	all := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "no host"
	}
	if len(all) > 5 {
		all = append(all[:5], "…")
	}
	return strings.Join(all, ", ")
}

// stamp formats a time to the second, in UTC.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
