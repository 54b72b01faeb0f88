package testkafka

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Leaderless makes the kfake report that a partition has no leader until restore
// is called. Topics that are created meanwhile are not in the metadata.
func (c *Cluster) Leaderless(topic string, partition int32) (restore func()) {
	c.t.Helper()
	md, err := c.Admin.Metadata(c.context())
	if err != nil {
		c.t.Fatal(err)
	}
	restored := make(chan struct{})
	c.Fake().ControlKey(int16(kmsg.Metadata), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.Fake().KeepControl()
		select {
		case <-restored:
			return nil, nil, false
		default:
		}
		req := r.(*kmsg.MetadataRequest)
		resp := req.ResponseKind().(*kmsg.MetadataResponse)
		resp.ControllerID, resp.ClusterID = md.Controller, &md.Cluster
		for _, b := range md.Brokers {
			broker := kmsg.NewMetadataResponseBroker()
			broker.NodeID, broker.Host, broker.Port = b.NodeID, b.Host, b.Port
			resp.Brokers = append(resp.Brokers, broker)
		}
		for _, d := range md.Topics.Sorted() {
			if req.Topics != nil && !slices.ContainsFunc(req.Topics, func(t kmsg.MetadataRequestTopic) bool {
				return t.Topic != nil && *t.Topic == d.Topic || t.Topic == nil && t.TopicID == d.ID
			}) {
				continue
			}
			t := kmsg.NewMetadataResponseTopic()
			t.Topic, t.TopicID = &d.Topic, d.ID
			for _, p := range d.Partitions.Sorted() {
				part := kmsg.NewMetadataResponseTopicPartition()
				part.Partition, part.Leader, part.LeaderEpoch, part.Replicas, part.ISR = p.Partition, p.Leader, p.LeaderEpoch, p.Replicas, p.ISR
				if d.Topic == topic && p.Partition == partition {
					part.Leader, part.ISR, part.ErrorCode = -1, nil, kerr.LeaderNotAvailable.Code
				}
				t.Partitions = append(t.Partitions, part)
			}
			resp.Topics = append(resp.Topics, t)
		}
		return resp, nil, true
	})
	return func() { close(restored) }
}
