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

// tlsProblem says what a failed handshake means, or a certificate that either
// side does not take; nil when err is about something else. address is where it
// happened, unless the error knows better.
func tlsProblem(err error, address string, c *Config, now time.Time) *Problem {
	asked := false
	var handshake *handshakeError
	if errors.As(err, &handshake) {
		address, asked = handshake.address, handshake.asked
	}
	if c.TLS.wire != nil {
		asked = asked || c.TLS.wire.asked(c.Brokers)
	}
	var unknown x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var first *kgo.ErrFirstReadEOF
	switch {
	case errors.As(err, &unknown):
		return problemf(ExitConfig, "%s shows a certificate of an unknown authority: %s, signed by %s; %s", address,
			describe(unknown.Cert), signer(unknown.Cert), c.TLS.trusted(unknown.Cert))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert.IsCA:
		return problemf(ExitConfig, "%s shows a certificate whose authority %s", address, outOfTime(invalid.Cert, now, "put its new certificate into kafka.tls.ca"))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return problemf(ExitUnavailable, "%s shows a certificate that %s", address, outOfTime(invalid.Cert, now, "have it renewed"))
	case errors.As(err, &hostname):
		host, _, _ := net.SplitHostPort(address)
		return problemf(ExitConfig, "%s shows a certificate for %s (%s), not for %s: use a name of it in kafka.brokers and in the brokers' advertised.listeners, or have one made for %s",
			address, names(hostname.Certificate), describe(hostname.Certificate), host, host)
	case errors.As(err, &verification):
		return problemf(ExitConfig, "%s shows a certificate that does not verify: %v", address, verification.Err)
	case errors.As(err, &record), strings.Contains(err.Error(), "first record does not look like a TLS handshake"):
		return problemf(ExitConfig, "%s does not speak TLS: set kafka.tls.enabled to false, or use the port for TLS", address)
	case handshake != nil && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
		// A balancer in front of brokers that are gone does so too: a restart may help.
		return problemf(ExitUnavailable, "%s closes the connection at once: it may not expect TLS on this port; see kafka.tls", address)
	case strings.Contains(err.Error(), "tls alert record"):
		return problemf(ExitConfig, "%s speaks TLS: set kafka.tls.enabled to true", address)
	}
	_, alert, refused := strings.Cut(err.Error(), "remote error: tls: ")
	switch {
	case asked && (refused || errors.As(err, &first)):
		return c.TLS.refusedBy(address, alert)
	case refused:
		return problemf(ExitConfig, "%s ends the handshake (%s): it may take other versions of TLS than 1.2 and 1.3", address, alert)
	}
	return nil
}

// refusedBy says why a broker does not take the certificate that it has asked for.
func (t *TLS) refusedBy(address, alert string) *Problem {
	if t.Cert == "" {
		return problemf(ExitConfig, "%s asks for a certificate of ours, and there is none: name it in kafka.tls.cert and kafka.tls.key", address)
	}
	if alert == "" {
		alert = "without a reason"
	}
	leaf := t.wire.refresh().pair.Leaf
	return problemf(ExitDenied, "%s refuses our certificate (%s): %s in %s, signed by %s, valid until %s: the brokers have to trust that authority, and the certificate has to be one for clients",
		address, alert, describe(leaf), t.Cert, signer(leaf), stamp(leaf.NotAfter))
}

// trusted says which authorities we trust, and what to do about the one that
// signed c and is not among them.
func (t *TLS) trusted(c *x509.Certificate) string {
	if t.CA == "" {
		return "the system does not know it: name a file with its certificate in kafka.tls.ca"
	}
	var known []string
	for _, a := range t.wire.refresh().authorities {
		text := describe(a)
		if a.Subject.String() == c.Issuer.String() {
			text += ", another of that name"
		}
		known = append(known, text)
	}
	return fmt.Sprintf("%s holds %s: add its certificate", t.CA, strings.Join(known, "; "))
}

// signer names who signed a certificate.
func signer(c *x509.Certificate) string {
	if c.Issuer.String() == c.Subject.String() {
		return "itself"
	}
	return c.Issuer.String()
}

// outOfTime says of a certificate that it is not valid now, and what to do if it
// has ended.
func outOfTime(c *x509.Certificate, now time.Time, todo string) string {
	span := fmt.Sprintf("%s is valid from %s until %s, and it is %s here", describe(c), stamp(c.NotBefore), stamp(c.NotAfter), stamp(now))
	if now.Before(c.NotBefore) {
		return fmt.Sprintf("is not valid yet: %s: look after this machine's clock", span)
	}
	return fmt.Sprintf("has expired: %s: %s", span, todo)
}

// names are what a certificate is for.
func names(c *x509.Certificate) string {
	all := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "no host at all"
	}
	if len(all) > 5 {
		all = append(all[:5], "…")
	}
	return strings.Join(all, ", ")
}

// stamp is a time as certificates have it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
