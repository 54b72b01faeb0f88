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

// maxPEM is how large a file of certificates may be, in bytes. The system's own
// bundle has some 200 KiB.
const maxPEM = 4 << 20

// Roots are the certificates of a PEM file, trusted instead of the system's. The
// file is read again whenever they are asked for, so that it can change while
// the daemon runs; one that cannot be used leaves what it held before in force.
type Roots struct {
	path string

	mu   sync.Mutex
	data []byte
	held *x509.CertPool
}

// OpenRoots reads the file at path. An empty path gives nil, the system's.
func OpenRoots(path string) (*Roots, error) {
	if path == "" {
		return nil, nil
	}
	data, pool, err := readRoots(path)
	if err != nil {
		return nil, err
	}
	return &Roots{path: path, data: data, held: pool}, nil
}

// Pool returns what the file holds now, or held when it was last whole; nil
// for nil, which means the system's.
func (r *Roots) Pool() *x509.CertPool {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	data, pool, err := readRoots(r.path)
	if err == nil && !bytes.Equal(data, r.data) {
		r.data, r.held = data, pool
	}
	return r.held
}

// readRoots returns the certificates of a PEM file. A file that ends within a
// block is half written, and an error.
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
		return nil, nil, errors.New("ends within a PEM block, or a block of it is damaged")
	case n == 0:
		return nil, nil, errors.New("holds no certificate in PEM form")
	}
	return data, pool, nil
}
