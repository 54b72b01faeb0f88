package kafka

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/safefile"
)

// files are paths of PEM files; empty: none.
type files struct{ ca, cert, key string }

// maxPEM bounds the size of each file, in bytes.
const maxPEM = 4 << 20

// material is the content of the files.
type material struct {
	roots       *x509.CertPool      // nil: the system's
	authorities []*x509.Certificate // in roots
	pair        *tls.Certificate    // the client certificate, with its Leaf; nil: none
}

// fingerprint is the hash of all files.
type fingerprint [sha256.Size]byte

// fileError is a problem of one file.
type fileError struct {
	field string // ca, cert or key
	text  string
}

func (e *fileError) Error() string { return e.text }

func fileErrorf(field, format string, args ...any) error {
	return &fileError{field, fmt.Sprintf(format, args...)}
}

// read reads all files. The fingerprint is valid also with an error, which is a
// *fileError.
func (f files) read() (m material, sum fingerprint, err error) {
	hash := sha256.New()
	data := make(map[string][]byte)
	for _, file := range []struct{ field, path string }{{"ca", f.ca}, {"cert", f.cert}, {"key", f.key}} {
		if file.path == "" {
			continue
		}
		content, readErr := safefile.Read(file.path, maxPEM)
		if readErr != nil {
			readErr = safefile.Reason(readErr)
			err = cmp.Or(err, fileErrorf(file.field, "cannot read %s: %v", file.path, readErr))
		}
		data[file.field] = content
		fmt.Fprintf(hash, "%s %v %d ", file.field, readErr, len(content))
		hash.Write(content)
	}
	copy(sum[:], hash.Sum(nil))
	if err != nil {
		return m, sum, err
	}
	if f.ca != "" {
		if m.authorities, err = certificatesIn("ca", f.ca, data["ca"]); err != nil {
			return m, sum, err
		}
		m.roots = x509.NewCertPool()
		for _, c := range m.authorities {
			m.roots.AddCert(c)
		}
	}
	if f.cert != "" {
		m.pair, err = f.keyPair(data["cert"], data["key"])
	}
	return m, sum, err
}

// keyPair returns the client certificate with its key.
func (f files) keyPair(cert, key []byte) (*tls.Certificate, error) {
	chain, err := certificatesIn("cert", f.cert, cert)
	if err != nil {
		return nil, err
	}
	switch kinds := blocks(key); {
	case kinds == nil:
		return nil, notPEM("key", f.key, key)
	case kinds[0] == "ENCRYPTED PRIVATE KEY" || bytes.Contains(key, []byte("Proc-Type: 4,ENCRYPTED")):
		return nil, fileErrorf("key", "%s is encrypted: remove the passphrase with 'openssl pkey -in OLD -out NEW'", f.key)
	case !strings.Contains(strings.Join(kinds, " "), "PRIVATE KEY"):
		return nil, fileErrorf("key", "%s contains a %s and no private key: check whether cert and key are swapped", f.key, strings.ToLower(kinds[0]))
	}
	pair, err := tls.X509KeyPair(cert, key)
	switch {
	case err == nil:
		pair.Leaf = chain[0]
		return &pair, nil
	case strings.Contains(err.Error(), "does not match"):
		return nil, fileErrorf("key", "%s is not the key of %s in %s: use the key and certificate that belong together", f.key, describe(chain[0]), f.cert)
	}
	return nil, fileErrorf("key", "%s is not a valid private key: %v", f.key, errors.Unwrap(err))
}

// certificatesIn returns all certificates of a PEM file, at least one. It
// rejects an incomplete file.
func certificatesIn(field, path string, data []byte) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	rest := data
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fileErrorf(field, "certificate %d in %s is damaged: %v", len(list)+1, path, err)
		}
		list = append(list, c)
	}
	kinds := blocks(data)
	switch {
	case bytes.Contains(rest, []byte("-----BEGIN")):
		return nil, fileErrorf(field, "%s ends within a PEM block, or a block of it is damaged", path)
	case len(list) > 0:
		return list, nil
	case len(kinds) > 0:
		hint := ""
		if field == "cert" && strings.Contains(kinds[0], "PRIVATE KEY") {
			hint = ": check whether cert and key are swapped"
		}
		return nil, fileErrorf(field, "%s contains a %s and no certificate%s", path, strings.ToLower(kinds[0]), hint)
	}
	return nil, notPEM(field, path, data)
}

// blocks returns the types of the PEM blocks.
func blocks(data []byte) (kinds []string) {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return kinds
		}
		kinds = append(kinds, block.Type)
	}
}

// notPEM is the error for a file without PEM blocks.
func notPEM(field, path string, data []byte) error {
	switch {
	case len(data) == 0:
		return fileErrorf(field, "%s is empty", path)
	case bytes.Contains(data, []byte("-----BEGIN")):
		return fileErrorf(field, "%s ends within a PEM block, or the block is damaged", path)
	case bytes.HasPrefix(data, []byte{0xfe, 0xed, 0xfe, 0xed}):
		return fileErrorf(field, "%s is a Java keystore (JKS), not PEM: convert it with 'keytool -importkeystore -deststoretype pkcs12' and 'openssl pkcs12 -nodes'", path)
	case data[0] == 0x30:
		if _, err := x509.ParseCertificate(data); err == nil {
			return fileErrorf(field, "%s is DER, not PEM: convert it with 'openssl x509 -inform der -in OLD -out NEW'", path)
		}
		return fileErrorf(field, "%s is DER or PKCS#12, not PEM: convert it with 'openssl pkcs12 -nodes -in OLD -out NEW', or 'openssl pkey'", path)
	}
	return fileErrorf(field, "%s is not PEM: a certificate begins with -----BEGIN CERTIFICATE-----", path)
}

func (m material) attrs() []any {
	if m.pair == nil {
		return nil
	}
	return []any{"certificate", describe(m.pair.Leaf), "until", m.pair.Leaf.NotAfter.UTC().Format(time.RFC3339)}
}

// describe names a certificate: its subject, else its DNS names or serial number.
func describe(c *x509.Certificate) string {
	name := c.Subject.String()
	if name == "" && len(c.DNSNames) > 0 {
		name = strings.Join(c.DNSNames, ", ")
	}
	if name == "" {
		name = fmt.Sprintf("serial number %x", c.SerialNumber)
	}
	return name
}
