package clitest

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// UnreadGroup writes five records of an hour ago to trade-executions/0, of which a group has read two.
func UnreadGroup(t *testing.T) (c *testkafka.Cluster, group string) {
	t.Helper()
	c = testkafka.Start(t, []kafka.Channel{{Name: "desk", Partitions: 1}})
	group = c.Group + "-orders"
	old := time.Now().Add(-time.Hour)
	var records []*kgo.Record
	for range 5 {
		records = append(records, &kgo.Record{Topic: string(topics.TradeExecutions), Timestamp: old, Value: []byte("{}")})
	}
	if err := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner())).ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	CommitAt(t, c, group, 0, 2)
	return c, group
}

// CommitAt commits an offset of trade-executions for a group without members.
func CommitAt(t *testing.T, c *testkafka.Cluster, group string, partition int32, at int64) {
	t.Helper()
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: string(topics.TradeExecutions), Partition: partition, At: at, LeaderEpoch: -1})
	if err := c.Admin.CommitAllOffsets(t.Context(), group, offsets); err != nil {
		t.Fatal(err)
	}
}
