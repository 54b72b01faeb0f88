package brokers_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/health/brokers"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

const first, second, missing = string(topics.TradeExecutions), string(topics.PortfolioUpdates), "missing"

// requests counts those of a kind that ask for topics by name. Once answer is
// not nil it answers them.
func requests(c *testkafka.Cluster, key kmsg.Key, answer func(kmsg.Request) kmsg.Response) *atomic.Int32 {
	var n atomic.Int32
	c.Fake().ControlKey(int16(key), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.Fake().KeepControl()
		if m, ok := r.(*kmsg.MetadataRequest); ok && !m.IncludeTopicAuthorizedOperations {
			return nil, nil, false // the client's own
		}
		n.Add(1)
		if answer == nil {
			return nil, nil, false
		}
		resp := answer(r)
		return resp, nil, resp != nil
	})
	return &n
}

func TestFreshResponsesAreShared(t *testing.T) {
	c := testkafka.Start(t, nil)
	sent := requests(c, kmsg.Metadata, nil)
	v := brokers.NewView(c.Client(), first, second)
	for _, step := range []struct {
		maxAge time.Duration
		names  []string
		sent   int32 // in all
	}{
		{time.Hour, []string{first}, 1},
		{time.Hour, []string{first, second}, 1}, // the second was asked for with it
		{time.Hour, []string{missing}, 2},
		{time.Hour, []string{missing, first}, 2},
		{0, []string{first}, 3},
	} {
		found, err := v.Topics(t.Context(), step.maxAge, step.names...)
		if err != nil || sent.Load() != step.sent {
			t.Fatalf("%v: %d requests, want %d: %v", step.names, sent.Load(), step.sent, err)
		}
		for _, name := range step.names {
			if err := found[name].Err; (name == missing) != errors.Is(err, kerr.UnknownTopicOrPartition) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestForbiddenTopicLeavesOthersAnswered(t *testing.T) {
	c := testkafka.Start(t, nil)
	requests(c, kmsg.Metadata, func(r kmsg.Request) kmsg.Response {
		resp := r.ResponseKind().(*kmsg.MetadataResponse)
		for _, wanted := range r.(*kmsg.MetadataRequest).Topics {
			topic := kmsg.NewMetadataResponseTopic()
			topic.Topic = wanted.Topic
			if *wanted.Topic == first {
				topic.ErrorCode = kerr.TopicAuthorizationFailed.Code
			}
			resp.Topics = append(resp.Topics, topic)
		}
		return resp
	})
	found, err := brokers.NewView(c.Client(), first, second).Topics(t.Context(), 0, first)
	if err != nil || !errors.Is(found[first].Err, kerr.TopicAuthorizationFailed) || found[second].Err != nil {
		t.Errorf("%v, %v", found, err)
	}
}

func TestLogsHaveBeginAndEnd(t *testing.T) {
	c := testkafka.Start(t, nil)
	records := make([]*kgo.Record, 5)
	for i := range records {
		records[i] = &kgo.Record{Topic: first, Partition: 0, Value: []byte("{}")}
	}
	if err := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner())).ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	before := make(kadm.Offsets)
	before.Add(kadm.Offset{Topic: first, Partition: 0, At: 2})
	if _, err := c.Admin.DeleteRecords(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	sent := requests(c, kmsg.ListOffsets, nil)
	v := brokers.NewView(c.Client())
	for range 2 {
		logs, _, err := v.Logs(t.Context(), time.Hour, first, missing)
		if err != nil {
			t.Fatal(err)
		}
		if l := logs[first][0]; l == nil || l.Err != nil || l.Start != 2 || l.Stable != 5 || l.End != 5 {
			t.Errorf("the log is %+v", l)
		}
		if _, there := logs[missing]; there {
			t.Error("a topic that does not exist has logs")
		}
	}
	if n := sent.Load(); n == 0 || n%3 != 0 {
		t.Errorf("%d requests: the second look asks again", n)
	}
}

func TestPartitionErrorLeavesOthersKnown(t *testing.T) {
	c := testkafka.Start(t, nil)
	requests(c, kmsg.ListOffsets, func(r kmsg.Request) kmsg.Response {
		resp := r.ResponseKind().(*kmsg.ListOffsetsResponse)
		for _, wanted := range r.(*kmsg.ListOffsetsRequest).Topics {
			topic := kmsg.NewListOffsetsResponseTopic()
			topic.Topic = wanted.Topic
			for _, p := range wanted.Partitions {
				part := kmsg.NewListOffsetsResponseTopicPartition()
				part.Partition, part.Offset = p.Partition, 7
				switch p.Partition {
				case 0:
					part.ErrorCode = kerr.TopicAuthorizationFailed.Code
				case 1:
					continue // not answered
				}
				topic.Partitions = append(topic.Partitions, part)
			}
			resp.Topics = append(resp.Topics, topic)
		}
		return resp
	})
	logs, _, err := brokers.NewView(c.Client()).Logs(t.Context(), 0, first)
	if err != nil {
		t.Fatal(err)
	}
	for id, l := range logs[first] {
		switch id {
		case 0:
			if !errors.Is(l.Err, kerr.TopicAuthorizationFailed) {
				t.Errorf("a forbidden partition has %v", l.Err)
			}
		case 1:
			if !errors.Is(l.Err, kerr.LeaderNotAvailable) {
				t.Errorf("a partition without an answer has %v", l.Err)
			}
		default:
			if l.Err != nil || l.Start != 7 {
				t.Errorf("partition %d has %+v", id, l)
			}
		}
	}
}
