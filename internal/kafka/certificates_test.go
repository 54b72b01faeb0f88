package kafka_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// anyTime stands for every time in a sentence.
var anyTime = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC`)

func TestInvalidCertificateFilesAreExplained(t *testing.T) {
	dir := t.TempDir()
	ca := testkafka.NewAuthority(t, "Test Authority")
	one, other := ca.Client("one"), ca.Client("other")
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})
	for name, content := range map[string][]byte{
		"ca.pem": ca.PEM(), "one.pem": one.CertPEM, "one.key": one.KeyPEM, "other.key": other.KeyPEM,
		"der": one.Cert.Raw, "text": []byte("hello\n"), "empty": {}, "half.pem": one.CertPEM[:300], "encrypted.key": encrypted,
		"two-and-a-half.pem": bytes.Join([][]byte{ca.PEM(), one.CertPEM, ca.PEM()[:300]}, nil),
		"jks":                {0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2}, "p12": {0x30, 0x82, 0x01, 0x02, 0x02, 0x01, 0x03},
		"damaged.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}),
	} {
		testkafka.Put(t, dir, name, content)
	}
	for settings, want := range map[string]string{
		"ca: ca.pem, cert: one.pem, key: one.key": "",
		"ca: none.pem":                      "tls.ca: cannot read DIR/none.pem: no such file or directory",
		"ca: .":                             "tls.ca: cannot read DIR: is a directory",
		"ca: text":                          "tls.ca: DIR/text is not PEM: a certificate begins with -----BEGIN CERTIFICATE-----",
		"ca: empty":                         "tls.ca: DIR/empty is empty",
		"ca: half.pem":                      "tls.ca: DIR/half.pem ends within a PEM block, or a block of it is damaged",
		"ca: two-and-a-half.pem":            "tls.ca: DIR/two-and-a-half.pem ends within a PEM block, or a block of it is damaged",
		"ca: damaged.pem":                   "tls.ca: certificate 1 in DIR/damaged.pem is damaged: x509: malformed certificate",
		"ca: der":                           "tls.ca: DIR/der is DER, not PEM: convert it with 'openssl x509 -inform der -in OLD -out NEW'",
		"ca: p12":                           "tls.ca: DIR/p12 is DER or PKCS#12, not PEM: convert it with 'openssl pkcs12 -nodes -in OLD -out NEW', or 'openssl pkey'",
		"ca: jks":                           "tls.ca: DIR/jks is a Java keystore (JKS), not PEM: convert it with 'keytool -importkeystore -deststoretype pkcs12' and 'openssl pkcs12 -nodes'",
		"ca: one.key":                       "tls.ca: DIR/one.key contains a private key and no certificate",
		"cert: one.pem":                     "tls: cert and key belong together",
		"cert: one.key, key: one.pem":       "tls.cert: DIR/one.key contains a private key and no certificate: check whether cert and key are swapped",
		"cert: one.pem, key: one.pem":       "tls.key: DIR/one.pem contains a certificate and no private key: check whether cert and key are swapped",
		"cert: one.pem, key: other.key":     "tls.key: DIR/other.key is not the key of CN=one in DIR/one.pem: use the key and certificate that belong together",
		"cert: one.pem, key: encrypted.key": "tls.key: DIR/encrypted.key is encrypted: remove the passphrase with 'openssl pkey -in OLD -out NEW'",
		"cert: one.pem, key: half.pem":      "tls.key: DIR/half.pem ends within a PEM block, or the block is damaged",
	} {
		c := kafka.Defaults()
		faults := yamldoc.Decode("f", dir, []byte("{tls: {enabled: true, "+settings+"}}"), &c)
		got := strings.ReplaceAll(faults.Error(), dir, "DIR")
		if _, text, ok := strings.Cut(got, " tls"); ok {
			got = "tls" + text
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", settings, got, want)
		}
	}
}

// encrypted starts a broker that shows this certificate, and returns its
// address; change may alter how.
func encrypted(t *testing.T, s testkafka.Signed, change ...func(*tls.Config)) string {
	t.Helper()
	config := &tls.Config{Certificates: []tls.Certificate{s.Pair(t)}}
	for _, f := range change {
		f(config)
	}
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(config))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	return fake.ListenAddrs()[0]
}

// configured is the configuration with these settings of tls and paths below dir.
func configured(t *testing.T, address, dir, settings string) *kafka.Config {
	t.Helper()
	c := kafka.Defaults()
	if faults := yamldoc.Decode("f", dir, []byte("{tls: {enabled: true, "+settings+"}}"), &c); len(faults) > 0 {
		t.Fatal(faults.Error())
	}
	c.Brokers = []string{address}
	return &c
}

func span(from, until time.Duration) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Now().Add(from), time.Now().Add(until) }
}

func TestRejectedCertificatesAreExplained(t *testing.T) {
	dir := t.TempDir()
	const day = 24 * time.Hour
	ca, foreign, twin := testkafka.NewAuthority(t, "Test Authority"), testkafka.NewAuthority(t, "Other Authority"), testkafka.NewAuthority(t, "Test Authority")
	ended := testkafka.NewAuthority(t, "Ended Authority", span(-2*day, -day))
	client, expired, early := ca.Client("client"), ca.Client("client", span(-2*day, -day)), ca.Client("client", span(day, 2*day))
	stranger, server := foreign.Client("stranger"), ca.Client("server only", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	for name, content := range map[string][]byte{
		"ca.pem": ca.PEM(), "foreign.pem": foreign.PEM(), "ended.pem": ended.PEM(), "client.pem": client.CertPEM, "client.key": client.KeyPEM, "expired.pem": expired.CertPEM,
		"expired.key": expired.KeyPEM, "early.pem": early.CertPEM, "early.key": early.KeyPEM, "stranger.pem": stranger.CertPEM, "stranger.key": stranger.KeyPEM,
		"server.pem": server.CertPEM, "server.key": server.KeyPEM,
	} {
		testkafka.Put(t, dir, name, content)
	}
	mutual := func(c *tls.Config) {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		c.ClientCAs.AppendCertsFromPEM(ca.PEM())
	}
	old := func(c *tls.Config) { c.MaxVersion = tls.VersionTLS11 }
	mutual12 := func(c *tls.Config) {
		mutual(c)
		c.MaxVersion = tls.VersionTLS12
	}
	good := ca.Server("broker")
	for name, c := range map[string]struct {
		address, settings string
		exit              int
		want              string // empty: it can be reached
	}{
		"good":         {encrypted(t, good), "ca: ca.pem", 0, ""},
		"good, mutual": {encrypted(t, good, mutual), "ca: ca.pem, cert: client.pem, key: client.key", 0, ""},
		"expired": {
			encrypted(t, ca.Server("broker", span(-2*day, -day))), "ca: ca.pem", 69,
			"ADDR presents a certificate that has expired: CN=broker is valid from TIME until TIME, this host's time is TIME: renew it",
		},
		"not yet valid": {
			encrypted(t, ca.Server("broker", span(day, 2*day))), "ca: ca.pem", 69,
			"ADDR presents a certificate that is not valid yet: CN=broker is valid from TIME until TIME, this host's time is TIME: check this host's clock",
		},
		"unknown to the system": {
			encrypted(t, good), "", 78,
			"ADDR presents a certificate signed by an unknown authority: CN=broker, signed by CN=Test Authority; the system does not trust it: set kafka.tls.ca to a file with its certificate",
		},
		"other authority": {
			encrypted(t, good), "ca: foreign.pem", 78,
			"ADDR presents a certificate signed by an unknown authority: CN=broker, signed by CN=Test Authority; DIR/foreign.pem contains CN=Other Authority: add its certificate",
		},
		"authority of the same name": {
			encrypted(t, twin.Server("broker")), "ca: ca.pem", 78,
			"ADDR presents a certificate signed by an unknown authority: CN=broker, signed by CN=Test Authority; DIR/ca.pem contains CN=Test Authority (same name, different key): add its certificate",
		},
		"authority that has ended": {
			encrypted(t, ended.Server("broker")), "ca: ended.pem", 78,
			"ADDR presents a certificate whose authority has expired: CN=Ended Authority is valid from TIME until TIME, this host's time is TIME: add its new certificate to kafka.tls.ca",
		},
		"other name": {
			encrypted(t, ca.Server("broker", func(c *x509.Certificate) {
				c.DNSNames, c.IPAddresses = []string{"kafka-1", "kafka-2"}, []net.IP{net.IPv4(10, 0, 0, 1)}
			})),
			"ca: ca.pem", 78,
			"ADDR presents a certificate for kafka-1, kafka-2, 10.0.0.1 (CN=broker), not for 127.0.0.1: use one of its names in kafka.brokers and advertised.listeners, or issue one for 127.0.0.1",
		},
		"a client's certificate": {
			encrypted(t, ca.Client("broker", func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} })), "ca: ca.pem", 78,
			"ADDR presents a certificate that fails verification: x509: certificate specifies an incompatible key usage",
		},
		"none of ours": {
			encrypted(t, good, mutual), "ca: ca.pem", 78,
			"ADDR requires a client certificate: set kafka.tls.cert and kafka.tls.key",
		},
		"none of ours, TLS 1.2": {
			encrypted(t, good, mutual12), "ca: ca.pem", 78,
			"ADDR requires a client certificate: set kafka.tls.cert and kafka.tls.key",
		},
		"ours is a stranger's": {
			encrypted(t, good, mutual), "ca: ca.pem, cert: stranger.pem, key: stranger.key", 77,
			"ADDR rejected the client certificate (unknown certificate authority): CN=stranger in DIR/stranger.pem, signed by CN=Other Authority, valid until TIME: the brokers must trust that authority, and the certificate must allow client authentication",
		},
		"ours is a server's": {
			encrypted(t, good, mutual), "ca: ca.pem, cert: server.pem, key: server.key", 77,
			"ADDR rejected the client certificate (bad certificate): CN=server only in DIR/server.pem, signed by CN=Test Authority, valid until TIME: the brokers must trust that authority, and the certificate must allow client authentication",
		},
		"ours has expired": {
			encrypted(t, good, mutual), "ca: ca.pem, cert: expired.pem, key: expired.key", 78,
			"the client certificate in DIR/expired.pem has expired: CN=client is valid from TIME until TIME, this host's time is TIME: replace the file; no restart is needed",
		},
		"ours is not yet valid": {
			encrypted(t, good, mutual), "ca: ca.pem, cert: early.pem, key: early.key", 69,
			"the client certificate in DIR/early.pem is not valid yet: CN=client is valid from TIME until TIME, this host's time is TIME: check this host's clock",
		},
		"old TLS": {
			encrypted(t, good, old), "ca: ca.pem", 78,
			"ADDR rejected the handshake (protocol version not supported): it may require a TLS version other than 1.2 and 1.3",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := reach(t, configured(t, c.address, dir, c.settings))
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var p *kafka.Problem
			if !errors.As(err, &p) {
				t.Fatalf("got %v, want a problem", err)
			}
			got := anyTime.ReplaceAllString(strings.NewReplacer(dir, "DIR", c.address, "ADDR").Replace(p.Text), "TIME")
			if got != c.want || p.Exit != c.exit {
				t.Errorf("got %d: %s\nwant %d: %s", p.Exit, got, c.exit, c.want)
			}
		})
	}
}

// TestCertificatesReloadForNewConnections: ours and the authorities',
// whole or not at all, with a word.
func TestCertificatesReloadForNewConnections(t *testing.T) {
	dir := t.TempDir()
	before, after := testkafka.NewAuthority(t, "Before"), testkafka.NewAuthority(t, "After")
	var names []string // of the clients that came
	broker := before.Server("broker").Pair(t)
	address := encrypted(t, before.Server("broker"), func(c *tls.Config) {
		c.ClientAuth = tls.RequireAnyClientCert
		c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &broker, nil }
		c.VerifyConnection = func(s tls.ConnectionState) error {
			names = append(names, s.PeerCertificates[0].Subject.CommonName)
			return nil
		}
	})
	write := func(s testkafka.Signed, ca []byte) {
		testkafka.Put(t, dir, "client.pem", s.CertPEM)
		testkafka.Put(t, dir, "client.key", s.KeyPEM)
		testkafka.Put(t, dir, "ca.pem", ca)
	}
	first, second := before.Client("first"), after.Client("second")
	write(first, before.PEM())
	c := configured(t, address, dir, "ca: ca.pem, cert: client.pem, key: client.key")
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	connect := func(want string) {
		t.Helper()
		opts, err := c.Options("test", logger, nil)
		if err != nil {
			t.Fatal(err)
		}
		cl, err := kgo.NewClient(opts...)
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		if err := kafka.Reach(t.Context(), cl, c); err != nil {
			t.Fatal(err)
		}
		if names[len(names)-1] != want {
			t.Errorf("%s came, want %s", names, want)
		}
	}
	logged := func(times int, text string) {
		t.Helper()
		if n := strings.Count(log.String(), text); n != times {
			t.Errorf("%q is logged %d times, want %d:\n%s", text, n, times, log.String())
		}
	}
	connect("first")
	testkafka.Put(t, dir, "client.pem", second.CertPEM) // the key is not there yet
	connect("first")
	connect("first")
	logged(1, "new certificate files are invalid, new connections still use the previous ones")
	logged(1, "client.key is not the key of CN=second")
	write(second, append(before.PEM(), after.PEM()...))
	connect("second")
	logged(1, "certificate files changed, new connections use them")
	logged(1, `certificate="CN=second"`)
	broker = after.Server("broker").Pair(t) // which only the new authority has signed
	connect("second")
	testkafka.Put(t, dir, "ca.pem", after.PEM()[:200])
	connect("second")
	logged(2, "new certificate files are invalid")
	logged(1, "ca.pem ends within a PEM block")
	write(second, append(before.PEM(), after.PEM()...))
	connect("second")
	logged(2, "certificate files changed")
	if strings.Contains(log.String(), "PRIVATE KEY") {
		t.Error("the key is in the log")
	}
}

func TestExpiringCertificateIsReported(t *testing.T) {
	dir := t.TempDir()
	ca := testkafka.NewAuthority(t, "Test Authority")
	const day = 24 * time.Hour
	client := ca.Client("client", span(-day, 13*day+time.Hour))
	testkafka.Put(t, dir, "ca.pem", ca.PEM())
	testkafka.Put(t, dir, "client.pem", client.CertPEM)
	testkafka.Put(t, dir, "client.key", client.KeyPEM)
	broker := ca.Server("broker", span(-day, day-time.Hour))
	address := encrypted(t, broker)
	c := configured(t, address, dir, "ca: ca.pem, cert: client.pem, key: client.key")
	if err := reach(t, c); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, f := range c.TLS.CertificateProblems(time.Now()) {
		texts = append(texts, anyTime.ReplaceAllString(fmt.Sprintf("%s %d %s", f.Of, f.Exit, f.Text), "TIME"))
	}
	want := "kafka.tls.cert 0 the client certificate in " + filepath.Join(dir, "client.pem") + " expires in 13 days: CN=client is valid until TIME\n" +
		address + " 0 the certificate of " + address + " expires in 0 days: CN=broker is valid until TIME"
	if got := strings.Join(texts, "\n"); got != want {
		t.Errorf("found\n%s\nwant\n%s", got, want)
	}
	reg := prometheus.NewPedanticRegistry()
	kafka.NewMonitor(kafka.MonitorParams{TLS: &c.TLS, Registry: reg})
	text := fmt.Sprintf(`
# HELP notifier_certificate_expiry_timestamp_seconds Expiry of certificates of the broker connections, in seconds since 1970: the client certificate (client), and the first to expire in the brokers' chains (broker).
# TYPE notifier_certificate_expiry_timestamp_seconds gauge
notifier_certificate_expiry_timestamp_seconds{certificate="broker"} %d
notifier_certificate_expiry_timestamp_seconds{certificate="client"} %d
`, broker.Cert.NotAfter.Unix(), client.Cert.NotAfter.Unix())
	if err := testutil.GatherAndCompare(reg, strings.NewReader(text), "notifier_certificate_expiry_timestamp_seconds"); err != nil {
		t.Error(err)
	}
}
