package testkafka

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// SecuredEnv names the variable with the directory of the secured node. The
// caller that sets it stops a node that is left running there.
const SecuredEnv = "NOTIFIER_TEST_SECURED"

// Node is a real broker with an authorizer and a listener for each combination of
// encryption and authentication: see 'secured' in scripts/kafka.sh.
type Node struct {
	Dir string
	CA  *Authority // signed the broker's certificate; its clients are trusted
	// Plaintext and TLS are addresses for super users, MTLS and SASL for others.
	Plaintext, TLS, MTLS, SASL string
	Admin                      *kadm.Client // a super user
}

// Secured starts the node with the scripts below root and stops it at the end of
// the test.
func Secured(t testing.TB, root string) *Node {
	t.Helper()
	dir := os.Getenv(SecuredEnv)
	if dir == "" {
		dir = t.TempDir()
	}
	n := &Node{Dir: dir, CA: NewAuthority(t, "Test Authority")}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	broker := n.CA.Server("broker")
	Put(t, dir, "ca.pem", n.CA.PEM())
	Put(t, dir, "broker.pem", append(broker.KeyPEM, broker.CertPEM...))
	script := filepath.Join(root, "scripts", "kafka.sh")
	cmd := exec.Command(script, "secured", dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	t.Cleanup(func() {
		if out, err := exec.Command(script, "stop", dir).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	for line := range strings.Lines(string(out)) {
		name, address, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "PLAINTEXT":
			n.Plaintext = address
		case "TLS":
			n.TLS = address
		case "MTLS":
			n.MTLS = address
		case "SASL":
			n.SASL = address
		}
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(n.Plaintext))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	n.Admin = kadm.NewClient(cl)
	return n
}
