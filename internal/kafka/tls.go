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
	"sync"
	"time"

	"github.com/algotrade/notifier/internal/yamldoc"
)

// TLS configures encryption; the files are PEM. They are read again for every
// new connection, so that certificates can change while the daemon runs.
type TLS struct {
	Enabled bool   `yaml:"enabled"`
	CA      string `yaml:"ca"` // trusted instead of the system's
	Cert    string `yaml:"cert"`
	Key     string `yaml:"key"`

	wire *wire // all copies share it; nil before the files were read
}

// CheckYAML implements yamldoc.Checker. It makes paths absolute and reads the
// files, so that what is wrong with them is known now.
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

// open reads the files, unless that was done before.
func (t *TLS) open() error {
	if t.wire != nil {
		return nil
	}
	w := &wire{files: files{ca: t.CA, cert: t.Cert, key: t.Key}, log: slog.New(slog.DiscardHandler), shown: make(map[string]shown)}
	var err error
	if w.held, w.seen, err = w.files.read(); err != nil {
		return err
	}
	t.wire = w
	return nil
}

// wire makes connections by TLS with what the files held when they were last
// whole, and remembers what brokers have shown.
type wire struct {
	files files

	mu    sync.Mutex
	log   *slog.Logger // of whoever says that files have changed
	held  material     // in force
	seen  fingerprint  // of the files when they were last looked at, whole or not
	shown map[string]shown
	said  time.Time // when it was last said what ends soon
}

// shown is what a broker has shown of itself.
type shown struct {
	ends  time.Time // when the first certificate of its chain does
	what  string    // that certificate
	asked bool      // for a certificate of ours
}

// logTo has changes of the files be logged there, unless log drops them: some
// clients are silent.
func (w *wire) logTo(log *slog.Logger) {
	if log.Enabled(context.Background(), slog.LevelInfo) {
		w.mu.Lock()
		w.log = log
		w.mu.Unlock()
	}
}

// refresh reads the files again. Files that are broken or half written leave
// what they held before in force, which is said once.
func (w *wire) refresh() material {
	read, seen, err := w.files.read()
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case seen == w.seen:
	case err != nil:
		w.seen = seen
		w.log.Warn("certificate files cannot be used, new connections take what they held before", "err", err)
	default:
		w.seen, w.held = seen, read
		w.log.Info("certificate files have changed, new connections take what they hold now", read.attrs()...)
	}
	return w.held
}

// watch reads the files again, and says once a day which certificates end soon.
func (t *TLS) watch(now time.Time) {
	if !t.Enabled || t.wire == nil {
		return
	}
	found := t.Findings(now)
	t.wire.mu.Lock()
	defer t.wire.mu.Unlock()
	if len(found) == 0 || !t.wire.said.IsZero() && now.Sub(t.wire.said) < 24*time.Hour {
		return
	}
	t.wire.said = now
	for _, f := range found {
		t.wire.log.Warn("certificate", "of", f.Of, "ends", f.Ends.UTC().Format(time.RFC3339), "problem", f.Text)
	}
}

// dial connects to a broker and shakes hands.
func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	with := w.refresh()
	asked := false
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: dialTimeout}, Config: &tls.Config{
		MinVersion: tls.VersionTLS12,
		RootCAs:    with.roots,
		// Not Certificates, of which a client shows only one that the broker's
		// authorities have signed: a broker that refuses ours should say so.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked = true
			if with.pair != nil {
				return with.pair, nil
			}
			return new(tls.Certificate), nil
		},
	}}
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, &handshakeError{address, asked, err}
	}
	now := shown{asked: asked}
	for _, chain := range conn.(*tls.Conn).ConnectionState().VerifiedChains[:1] {
		first := firstToEnd(chain)
		now.ends, now.what = first.NotAfter, describe(first)
	}
	w.mu.Lock()
	w.shown[address] = now
	w.mu.Unlock()
	return conn, nil
}

// asked reports whether one of these brokers has asked for a certificate.
func (w *wire) asked(addresses []string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range addresses {
		if w.shown[a].asked {
			return true
		}
	}
	return false
}

func firstToEnd(chain []*x509.Certificate) *x509.Certificate {
	first := chain[0]
	for _, c := range chain {
		if c.NotAfter.Before(first.NotAfter) {
			first = c
		}
	}
	return first
}

// handshakeError is why a connection could not be made, with the address, which
// kgo leaves out.
type handshakeError struct {
	address string
	asked   bool // for a certificate of ours
	err     error
}

func (e *handshakeError) Error() string { return fmt.Sprintf("%s: %v", e.address, e.err) }
func (e *handshakeError) Unwrap() error { return e.err }
