package main

import (
	"crypto/x509"
	"os"
	"os/exec"
	"testing"

	roots "golang.org/x/crypto/x509roots/fallback/bundle"
)

// TestCertificatesArePartOfTheProgram: in a container there are none besides.
func TestCertificatesArePartOfTheProgram(t *testing.T) {
	const child = "NOTIFIER_TEST_NO_CERTIFICATES"
	if os.Getenv(child) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), child+"=1", "SSL_CERT_FILE=/nonexistent", "SSL_CERT_DIR=/nonexistent")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	for root := range roots.Roots() {
		if root.Constraint != nil {
			continue
		}
		cert, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cert.Verify(x509.VerifyOptions{KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
			t.Errorf("%s is not trusted: %v", cert.Subject, err)
		}
		return
	}
	t.Error("there are no roots")
}
