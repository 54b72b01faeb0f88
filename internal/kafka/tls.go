package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/algotrade/notifier/internal/yamldoc"
)

// TLS configures encryption with PEM files. They are read for every connection,
// so that certificates can change while the daemon runs.
type TLS struct {
	// Enabled encrypts the connections.
	Enabled bool `yaml:"enabled"`
	// CA is a PEM file with certificates to trust instead of the system's.
	CA string `yaml:"ca"`
	// Cert is the PEM file of the client's certificate, if brokers ask for one.
	Cert string `yaml:"cert"`
	// Key is the PEM file of the certificate's private key.
	Key string `yaml:"key"`

	wire *wire // shared by all copies; nil before open
}

// CheckYAML implements yamldoc.Checker. It makes paths absolute and reads the
// files.
func (t *TLS) CheckYAML(at yamldoc.Cursor) {
	for name, path := range map[string]*string{"ca": &t.CA, "cert": &t.Cert, "key": &t.Key} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(at.Dir(), *path)
		}
		if *path != "" && !t.Enabled {
			at.Field(name).Fault("is set while tls.enabled is false")
		}
	}
	if (t.Cert == "") != (t.Key == "") {
		at.Fault("cert and key belong together")
		return
	}
	if !t.Enabled {
		return
	}
	if err := t.open(); err != nil {
		var file *fileError
		if errors.As(err, &file) {
			at = at.Field(file.field)
		}
		at.Fault("%v", err)
	}
}

// open reads the files once.
func (t *TLS) open() error {
	if t.wire != nil {
		return nil
	}
	w := &wire{files: files{ca: t.CA, cert: t.Cert, key: t.Key}, log: slog.New(slog.DiscardHandler), brokers: make(map[string]brokerCert)}
	var err error
	if w.valid, w.sum, err = w.files.read(); err != nil {
		return err
	}
	t.wire = w
	return nil
}

// wire makes TLS connections with the last valid content of the files, and
// stores the brokers' certificates.
type wire struct {
	files files

	mu      sync.Mutex
	log     *slog.Logger
	valid   material    // last valid content
	sum     fingerprint // of the last read content, valid or not
	brokers map[string]brokerCert
	warned  time.Time // last warning about expiry
}

// brokerCert describes a broker's certificate chain.
type brokerCert struct {
	ends          time.Time // first expiry in the chain
	name          string    // of the certificate that expires first
	certRequested bool      // the broker requested a client certificate
}

// setLogger sets the logger, unless log drops Info: some clients do not log.
func (w *wire) setLogger(log *slog.Logger) {
	if log.Enabled(context.Background(), slog.LevelInfo) {
		w.mu.Lock()
		w.log = log
		w.mu.Unlock()
	}
}

// refresh reads the files again and returns the last valid content. Invalid
// files are logged once.
func (w *wire) refresh() material {
	read, sum, err := w.files.read()
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case sum == w.sum:
	case err != nil:
		w.sum = sum
		w.log.Warn("new certificate files are invalid, new connections still use the previous ones", "err", err)
	default:
		w.sum, w.valid = sum, read
		w.log.Info("certificate files changed, new connections use them", read.attrs()...)
	}
	return w.valid
}

// watch reads the files again and logs problems of certificates once a day.
func (t *TLS) watch(now time.Time) {
	if !t.Enabled || t.wire == nil {
		return
	}
	found := t.CertificateProblems(now)
	t.wire.mu.Lock()
	defer t.wire.mu.Unlock()
	if len(found) == 0 || !t.wire.warned.IsZero() && now.Sub(t.wire.warned) < 24*time.Hour {
		return
	}
	t.wire.warned = now
	for _, f := range found {
		t.wire.log.Warn("certificate", "of", f.Of, "ends", f.Ends.UTC().Format(time.RFC3339), "problem", f.Text)
	}
}

// dial connects to a broker with TLS.
func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	current := w.refresh()
	requested := false
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: dialTimeout}, Config: &tls.Config{
		MinVersion: tls.VersionTLS12,
		RootCAs:    current.roots,
		// Unlike Certificates, this presents a certificate that the broker's
		// authorities did not sign, so that the broker reports the error.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			requested = true
			if current.pair != nil {
				return current.pair, nil
			}
			return new(tls.Certificate), nil
		},
	}}
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, &handshakeError{address, requested, err}
	}
	chain := conn.(*tls.Conn).ConnectionState().VerifiedChains[0]
	first := slices.MinFunc(chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	w.mu.Lock()
	w.brokers[address] = brokerCert{ends: first.NotAfter, name: describe(first), certRequested: requested}
	w.mu.Unlock()
	return conn, nil
}

// certRequested reports whether one of these brokers requested a client
// certificate.
func (w *wire) certRequested(addresses []string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(addresses, func(a string) bool { return w.brokers[a].certRequested })
}

// handshakeError is a connection error with the address, which kgo leaves out.
type handshakeError struct {
	address       string
	certRequested bool
	err           error
}

func (e *handshakeError) Error() string { return fmt.Sprintf("%s: %v", e.address, e.err) }
func (e *handshakeError) Unwrap() error { return e.err }
