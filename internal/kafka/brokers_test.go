package kafka_test

import (
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
)

func TestEachBrokerIsLookedAt(t *testing.T) {
	c := testkafka.Bare(t)
	config := *c.Config()
	config.Brokers = append([]string{"127.0.0.1:1"}, config.Brokers...)
	found := kafka.LookAtBrokers(t.Context(), &config)
	if len(found) < 4 || found[0].Status != check.Failed || found[0].Message != "nothing listens on 127.0.0.1:1" || found[0].Remedy == "" {
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
	found = kafka.LookAtBrokers(t.Context(), &config)
	if len(found) != 2 || found[1].Message != "the name no-such-host.invalid is not known" {
		t.Errorf("%+v", found)
	}
}
