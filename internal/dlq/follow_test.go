package dlq

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestATopicMadeAnewIsFollowedOnce: two writes fail because the topic was made
// anew, and the second is heard of when the first has been taken care of and
// something was written. What comes after that must be in the log, not only
// acknowledged.
func TestATopicMadeAnewIsFollowedOnce(t *testing.T) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "letters"))
	if err != nil {
		t.Fatal(err)
	}
	defer fake.Close()
	cl, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...), kgo.ProducerLinger(0))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	f := NewFollower(func(topic string) { cl.PurgeTopicsFromProducing(topic) })
	write := func() {
		t.Helper()
		if err := cl.ProduceSync(context.Background(), &kgo.Record{Topic: "letters", Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	write()
	one, other := f.Turn("letters"), f.Turn("letters")
	if f.Failed("letters", one, kerr.NotEnoughReplicas) {
		t.Error("followed for nothing")
	}
	if !f.Failed("letters", one, kerr.UnknownTopicID) {
		t.Error("not followed")
	}
	if err := fake.DeleteTopic("letters"); err != nil {
		t.Fatal(err)
	}
	if err := fake.CreateTopic("letters", 1, nil); err != nil {
		t.Fatal(err)
	}
	write()
	if f.Failed("letters", other, kerr.UnknownTopicID) {
		t.Error("followed twice")
	}
	write()
	if n := fake.PartitionInfo("letters", 0).HighWatermark; n != 2 {
		t.Errorf("%d records in the log, 2 are acknowledged", n)
	}
}
