package kafka_test

import (
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
)

func TestCheckBrokersReportsEachBroker(t *testing.T) {
	c := testkafka.Bare(t)
	config := *c.Config()
	config.Brokers = append([]string{"127.0.0.1:1"}, config.Brokers...)
	found := kafka.CheckBrokers(t.Context(), &config)
	if len(found) < 4 || found[0].Status != check.Failed || found[0].Message != "connection refused" || found[0].Remedy == "" {
		t.Errorf("of the one that is down: %+v", found)
	}
	for _, f := range found[1:] {
		if f.Status == check.Failed {
			t.Errorf("%+v", f)
		}
	}
	if f := found[1]; !strings.HasPrefix(f.Subject, config.Brokers[1]+" (broker ") || !strings.HasPrefix(f.Message, "answers after") {
		t.Errorf("of the one that is up: %+v", f)
	}
	config.Brokers = []string{"127.0.0.1:1", "no-such-host.invalid:9092"}
	found = kafka.CheckBrokers(t.Context(), &config)
	if len(found) != 2 || found[1].Message != "no such host" {
		t.Errorf("%+v", found)
	}
}
