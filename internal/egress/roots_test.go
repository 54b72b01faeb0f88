package egress_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/egress"
)

// TestRootsReloadChangedFile: an incomplete or missing file leaves the last pool in
// use.
func TestRootsReloadChangedFile(t *testing.T) {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	whole := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	path := filepath.Join(t.TempDir(), "ca.pem")
	write := func(data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(whole)
	r, err := egress.OpenRoots(path)
	if err != nil {
		t.Fatal(err)
	}
	first := r.Pool()
	for what, data := range map[string][]byte{
		"half": whole[:len(whole)/2], "empty": nil, "whole and half": append(append([]byte{}, whole...), whole[:100]...), "no PEM": []byte("x"),
		"damaged": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}),
	} {
		write(data)
		if got := r.Pool(); !got.Equal(first) {
			t.Errorf("%s: the pool changed", what)
		}
		if _, err := egress.OpenRoots(path); err == nil {
			t.Errorf("%s: OpenRoots accepts it", what)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if !r.Pool().Equal(first) {
		t.Error("missing: the pool changed")
	}
	if _, err := egress.OpenRoots(path); err == nil || !strings.Contains(err.Error(), "cannot read certificates") {
		t.Errorf("missing: %v", err)
	}
	write(append(append([]byte("a comment\n"), whole...), authority(t)...))
	if r.Pool().Equal(first) {
		t.Error("a second certificate is not in the pool")
	}
	if none, err := egress.OpenRoots(""); err != nil || none.Pool() != nil {
		t.Errorf("no file: %v", err)
	}
}

// authority returns a certificate of another authority, as PEM.
func authority(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
