package kafka_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/secret"
)

func TestPlainLoginInTheClearIsReported(t *testing.T) {
	remote, local := []string{"localhost:9092", "kafka-1.example.com:9092"}, []string{"localhost:9092", "127.0.0.1:9093", "[::1]:9092"}
	for _, c := range []struct {
		brokers        []string
		mechanism      string
		tls, insecure  bool
		login, traffic string
	}{
		{remote, "PLAIN", false, false, "PLAIN would send the password in the clear to kafka-1.example.com:9092: set kafka.tls", "to kafka-1.example.com:9092"},
		{remote, "OAUTHBEARER", false, false, "OAUTHBEARER would send the token in the clear to kafka-1.example.com:9092", "in the clear"},
		{remote, "SCRAM-SHA-512", false, false, "", "events and alerts travel in the clear to kafka-1.example.com:9092"},
		{remote, "", false, false, "", "in the clear"},
		{remote, "PLAIN", true, false, "", ""},
		{remote, "PLAIN", false, true, "", "in the clear"},
		{local, "PLAIN", false, false, "", ""},
	} {
		config := kafka.Defaults()
		config.Brokers, config.TLS.Enabled = c.brokers, c.tls
		config.SASL = kafka.SASL{Mechanism: c.mechanism, Insecure: c.insecure}
		if got := config.LoginInTheClear(); !strings.HasPrefix(got, c.login) || c.login == "" && got != "" {
			t.Errorf("%+v: login: %q", c, got)
		}
		if got := config.InTheClear(); !strings.Contains(got, c.traffic) || c.traffic == "" && got != "" {
			t.Errorf("%+v: traffic: %q", c, got)
		}
	}
}

// TestAdvertisedBrokerGetsNoLoginInTheClear: the configured broker is this
// machine, and names another.
func TestAdvertisedBrokerGetsNoLoginInTheClear(t *testing.T) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", "alice", "right"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	config := kafka.Defaults()
	config.Brokers = fake.ListenAddrs()
	config.SASL = kafka.SASL{Mechanism: "PLAIN", Username: secret.New("alice"), Password: secret.New("right")}
	opts, err := config.Options("test", slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.Ping(t.Context()); err != nil {
		t.Fatalf("this machine: %v", err)
	}
	fake.ControlKey(int16(kmsg.Metadata), func(r kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := r.ResponseKind().(*kmsg.MetadataResponse)
		other := kmsg.NewMetadataResponseBroker()
		other.NodeID, other.Host, other.Port = 7, "192.0.2.1", 9092 // of RFC 5737: nobody's
		resp.Brokers = append(resp.Brokers, other)
		return resp, nil, true
	})
	if _, err := kadm.NewClient(cl).BrokerMetadata(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = cl.Broker(7).Request(t.Context(), kmsg.NewPtrMetadataRequest())
	if err == nil || !strings.Contains(err.Error(), "192.0.2.1:9092: the broker is on another host, and the login would travel in the clear") {
		t.Errorf("another machine: %v", err)
	}
}
