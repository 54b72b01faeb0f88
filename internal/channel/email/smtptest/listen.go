package smtptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// counter counts a listener's connections.
type counter struct {
	net.Listener

	mu     sync.Mutex
	total  int
	open   map[*counted]bool
	closed bool
}

type counted struct {
	net.Conn
	counter *counter
}

// Accept implements net.Listener.
func (c *counter) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	if c.open == nil {
		c.open = map[*counted]bool{}
	}
	one := &counted{Conn: conn, counter: c}
	c.total++
	c.open[one] = true
	return one, nil
}

// Close implements net.Conn.
func (c *counted) Close() error {
	c.counter.mu.Lock()
	delete(c.counter.open, c)
	c.counter.mu.Unlock()
	return c.Conn.Close()
}

func (c *counter) counts() (total, open int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total, len(c.open)
}

// Close implements net.Listener. It also closes the connections.
func (c *counter) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.closeConns()
	return c.Listener.Close()
}

func (c *counter) closeConns() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		_ = conn.Conn.Close()
	}
}

// certificate returns a self-signed certificate for 127.0.0.1.
func certificate(t testing.TB) (*tls.Config, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "smtptest"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	return config, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
