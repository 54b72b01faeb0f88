package egress

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"sync"

	"github.com/algotrade/notifier/internal/safefile"
)

const maxPEM = 4 << 20 // bytes

// Roots are the trusted certificates of a PEM file. Pool reads the file again; an
// unusable file leaves the last pool in use.
type Roots struct {
	path string

	mu   sync.Mutex
	data []byte
	pool *x509.CertPool
}

// OpenRoots reads the file at path. For an empty path it returns nil: the system's
// certificates.
func OpenRoots(path string) (*Roots, error) {
	if path == "" {
		return nil, nil
	}
	data, pool, err := readRoots(path)
	if err != nil {
		return nil, err
	}
	return &Roots{path: path, data: data, pool: pool}, nil
}

// Pool returns the certificates of the file, or the last usable ones; nil for nil
// Roots.
func (r *Roots) Pool() *x509.CertPool {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	data, pool, err := readRoots(r.path)
	if err == nil && !bytes.Equal(data, r.data) {
		r.data, r.pool = data, pool
	}
	return r.pool
}

// readRoots returns the content and certificates of a PEM file. An incomplete block
// is an error.
func readRoots(path string) ([]byte, *x509.CertPool, error) {
	data, err := safefile.Read(path, maxPEM)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read certificates: %w", err)
	}
	pool, n := x509.NewCertPool(), 0
	rest := data
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		n++
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, nil, fmt.Errorf("certificate %d is damaged: %w", n, err)
		}
		pool.AddCert(c)
	}
	switch {
	case bytes.Contains(rest, []byte("-----BEGIN")):
		return nil, nil, errors.New("incomplete or damaged PEM block")
	case n == 0:
		return nil, nil, errors.New("holds no certificate in PEM format")
	}
	return data, pool, nil
}
