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
	"io/fs"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/safefile"
)

// files are paths of PEM files; empty: none.
type files struct{ ca, cert, key string }

// maxPEM is how large each of them may be, in bytes.
const maxPEM = 4 << 20

// material is what the files hold.
type material struct {
	roots       *x509.CertPool      // nil: the system's
	authorities []*x509.Certificate // in roots
	pair        *tls.Certificate    // ours, with its Leaf; nil: none
}

// fingerprint is of the content of all files.
type fingerprint [sha256.Size]byte

// fileError is what is wrong with a file.
type fileError struct {
	field string // ca, cert or key
	text  string
}

func (e *fileError) Error() string { return e.text }

func broken(field, format string, args ...any) error {
	return &fileError{field, fmt.Sprintf(format, args...)}
}

// read reads all files. The fingerprint is of what was read, also with an
// error, which is a *fileError.
func (f files) read() (m material, seen fingerprint, err error) {
	hash := sha256.New()
	data := make(map[string][]byte)
	for _, file := range []struct{ field, path string }{{"ca", f.ca}, {"cert", f.cert}, {"key", f.key}} {
		if file.path == "" {
			continue
		}
		content, readErr := safefile.Read(file.path, maxPEM)
		if readErr != nil {
			var path *fs.PathError
			if errors.As(readErr, &path) {
				readErr = path.Err
			}
			err = cmp.Or(err, broken(file.field, "cannot read %s: %v", file.path, readErr))
		}
		data[file.field] = content
		fmt.Fprintf(hash, "%s %v %d ", file.field, readErr, len(content))
		hash.Write(content)
	}
	copy(seen[:], hash.Sum(nil))
	if err != nil {
		return m, seen, err
	}
	if f.ca != "" {
		if m.authorities, err = certificatesIn("ca", f.ca, data["ca"]); err != nil {
			return m, seen, err
		}
		m.roots = x509.NewCertPool()
		for _, c := range m.authorities {
			m.roots.AddCert(c)
		}
	}
	if f.cert != "" {
		m.pair, err = f.keyPair(data["cert"], data["key"])
	}
	return m, seen, err
}

// keyPair returns our certificate with its key.
func (f files) keyPair(cert, key []byte) (*tls.Certificate, error) {
	chain, err := certificatesIn("cert", f.cert, cert)
	if err != nil {
		return nil, err
	}
	switch kinds := blocks(key); {
	case kinds == nil:
		return nil, notPEM("key", f.key, key)
	case kinds[0] == "ENCRYPTED PRIVATE KEY" || bytes.Contains(key, []byte("Proc-Type: 4,ENCRYPTED")):
		return nil, broken("key", "%s is encrypted: write it without a passphrase, with 'openssl pkey -in OLD -out NEW'", f.key)
	case !strings.Contains(strings.Join(kinds, " "), "PRIVATE KEY"):
		return nil, broken("key", "%s holds a %s and no private key: are cert and key exchanged?", f.key, strings.ToLower(kinds[0]))
	}
	pair, err := tls.X509KeyPair(cert, key)
	switch {
	case err == nil:
		pair.Leaf = chain[0]
		return &pair, nil
	case strings.Contains(err.Error(), "does not match"):
		return nil, broken("key", "%s is not the key of %s in %s: take the two that were made together", f.key, describe(chain[0]), f.cert)
	}
	return nil, broken("key", "%s cannot be read as a private key: %v", f.key, errors.Unwrap(err))
}

// certificatesIn returns all certificates of a PEM file, of which there is one
// at least. A file that is only half there is none.
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
			return nil, broken(field, "certificate %d in %s is damaged: %v", len(list)+1, path, err)
		}
		list = append(list, c)
	}
	kinds := blocks(data)
	switch {
	case bytes.Contains(rest, []byte("-----BEGIN")):
		return nil, broken(field, "%s ends within a PEM block, or a block of it is damaged", path)
	case len(list) > 0:
		return list, nil
	case len(kinds) > 0:
		hint := ""
		if field == "cert" && strings.Contains(kinds[0], "PRIVATE KEY") {
			hint = ": are cert and key exchanged?"
		}
		return nil, broken(field, "%s holds a %s and no certificate%s", path, strings.ToLower(kinds[0]), hint)
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

// notPEM says what a file without PEM probably is.
func notPEM(field, path string, data []byte) error {
	switch {
	case len(data) == 0:
		return broken(field, "%s is empty", path)
	case bytes.Contains(data, []byte("-----BEGIN")):
		return broken(field, "%s ends within a PEM block, or the block is damaged", path)
	case bytes.HasPrefix(data, []byte{0xfe, 0xed, 0xfe, 0xed}):
		return broken(field, "%s is a Java keystore (JKS), not PEM: write it with 'keytool -importkeystore -deststoretype pkcs12' and 'openssl pkcs12 -nodes'", path)
	case data[0] == 0x30:
		if _, err := x509.ParseCertificate(data); err == nil {
			return broken(field, "%s is DER, not PEM: write it with 'openssl x509 -inform der -in OLD -out NEW'", path)
		}
		return broken(field, "%s is DER or PKCS#12, not PEM: write it with 'openssl pkcs12 -nodes -in OLD -out NEW', or 'openssl pkey'", path)
	}
	return broken(field, "%s is not PEM: a certificate begins with -----BEGIN CERTIFICATE-----", path)
}

func (m material) attrs() []any {
	if m.pair == nil {
		return nil
	}
	return []any{"certificate", describe(m.pair.Leaf), "until", m.pair.Leaf.NotAfter.UTC().Format(time.RFC3339)}
}

// describe names a certificate as a person would look for it.
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
