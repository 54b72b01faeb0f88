package dlq

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Two writes fail because the topic was recreated, and the second is heard of
// when the first has been taken care of and something was written. What comes after that must be in the log, not only
// acknowledged.
func TestRecreatedTopicIsFollowedOnce(t *testing.T) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "dead"))
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
		if err := cl.ProduceSync(context.Background(), &kgo.Record{Topic: "dead", Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	write()
	one, other := f.Turn("dead"), f.Turn("dead")
	if f.Failed("dead", one, kerr.NotEnoughReplicas) {
		t.Error("followed for nothing")
	}
	if !f.Failed("dead", one, kerr.UnknownTopicID) {
		t.Error("not followed")
	}
	if err := fake.DeleteTopic("dead"); err != nil {
		t.Fatal(err)
	}
	if err := fake.CreateTopic("dead", 1, nil); err != nil {
		t.Fatal(err)
	}
	write()
	if f.Failed("dead", other, kerr.UnknownTopicID) {
		t.Error("followed twice")
	}
	write()
	if n := fake.PartitionInfo("dead", 0).HighWatermark; n != 2 {
		t.Errorf("%d records in the log, 2 are acknowledged", n)
	}
}

// TestTopicBeingPurgedIsNotPurgedAgain: a record that is produced in the
// meantime may still go to the old topic.
func TestTopicBeingPurgedIsNotPurgedAgain(t *testing.T) {
	times, begun, release := 0, make(chan struct{}), make(chan struct{})
	f := NewFollower(func(string) {
		if times++; times == 1 {
			close(begun)
			<-release
		}
	})
	done := make(chan bool)
	first := f.Turn("t")
	go func() { done <- f.Failed("t", first, kerr.UnknownTopicID) }()
	<-begun
	if f.Failed("t", f.Turn("t"), kerr.UnknownTopicID) {
		t.Error("it is forgotten while it is being forgotten")
	}
	between := f.Turn("t")
	close(release)
	if !<-done {
		t.Error("it is not followed")
	}
	if f.Failed("t", between, kerr.UnknownTopicID) {
		t.Error("it is forgotten for a record of the old topic")
	}
	if !f.Failed("t", f.Turn("t"), kerr.UnknownTopicID) || times != 2 {
		t.Errorf("the next recreation is not followed; forgotten %d times", times)
	}
}
