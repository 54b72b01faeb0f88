package lag

import (
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// TestOutboxesOfAFormerGroupAreNamed: kafka.group was changed, and nobody sends
// the alerts in the outboxes of the old one.
func TestOutboxesOfAFormerGroupAreNamed(t *testing.T) {
	c := testkafka.Start(t, []kafka.Channel{{Name: "desk", Partitions: 1}})
	of := func(name string) string { return c.Group + "-" + name }
	for name, sent := range map[string]int64{"former": 1, "drained": 3, "running": 1} {
		old, group := *c, of(name)
		old.Group = group
		c.Make(old.Shapes([]kafka.Channel{{Name: "desk", Partitions: 1}, {Name: "unknown", Partitions: 1}})...)
		for _, name := range []string{"desk", "unknown"} {
			outbox := topics.Outbox(group, name)
			c.Produce(&kgo.Record{Topic: outbox, Value: []byte("1")}, &kgo.Record{Topic: outbox, Value: []byte("2")}, &kgo.Record{Topic: outbox, Value: []byte("3")})
		}
		at := make(kadm.Offsets)
		at.Add(kadm.Offset{Topic: topics.Outbox(group, "desk"), At: sent, LeaderEpoch: -1})
		if err := c.Admin.CommitAllOffsets(t.Context(), topics.OutboxGroup(group), at); err != nil {
			t.Fatal(err)
		}
	}
	member := c.Client(kgo.ConsumerGroup(topics.OutboxGroup(of("running"))), kgo.ConsumeTopics(topics.Outbox(of("running"), "unknown")))
	if fetches := member.PollFetches(t.Context()); fetches.Err() != nil {
		t.Fatal(fetches.Err())
	}
	found := Stranded(t.Context(), c.Admin, c.Group, []string{"desk"})
	found = slices.DeleteFunc(found, func(r check.Result) bool { return !strings.HasPrefix(r.Subject, c.Group) }) // a real cluster has other tests' topics
	if len(found) != 1 || found[0].Status != check.Warning || found[0].Subject != topics.Outbox(of("former"), "desk") || !strings.Contains(found[0].Message, "2 alerts") || !strings.Contains(found[0].Remedy, "kafka.group was "+of("former")) {
		t.Errorf("%+v", found)
	}
}
