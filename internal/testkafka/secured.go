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

// SecuredEnv names the variable with the directory of the secured node. Whoever
// sets it stops a node that a test left behind there.
const SecuredEnv = "NOTIFIER_TEST_SECURED"

// Node is a real broker with an authorizer and listeners for each way of
// encryption and login: see 'secured' in scripts/kafka.sh.
type Node struct {
	Dir string
	// CA signed the broker's certificate, and is the authority whose clients the
	// broker trusts.
	CA *Authority
	// Plaintext and TLS are addresses of super users, MTLS and SASL of others.
	Plaintext, TLS, MTLS, SASL string
	// Admin is a super user's.
	Admin *kadm.Client
}

// Secured starts the node, with scripts of the repository at root, and stops it
// with the test.
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
	var words bytes.Buffer
	cmd.Stderr = &words
	out, err := cmd.Output()
	t.Cleanup(func() {
		if out, err := exec.Command(script, "stop", dir).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, words.String())
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
