package outbox

import (
	"crypto/sha256"
	"encoding/json"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/envelope"
)

// Record returns a delivery as a record of its channel's outbox topic, with its
// key and its partition among this many.
//
// The key is the lane: deliveries of one key are sent in order. It is the
// alert key for rules that throttle, whose decisions need that order, else the
// source's record key; null is a lane of its own each. A key of more than
// maxLane bytes is replaced by its hash, so that it does not travel twice: the
// source's own stands in the envelope.
func Record(e *envelope.Envelope, topic string, partitions int32) *kgo.Record {
	r := envelope.Wrap(e)
	r.Topic = topic
	r.Key = e.Source.Key
	if e.Alert.Throttle > 0 {
		r.Key, _ = json.Marshal(append([]string{e.Alert.Rule}, e.Alert.Key...))
	}
	if len(r.Key) > maxLane {
		sum := sha256.Sum256(r.Key)
		r.Key = sum[:]
	}
	r.Partition = partition(r.Key, e, partitions)
	return r
}

const maxLane = 1 << 10

// murmur2 is Kafka's own hash, as the Java client and kgo partition by it.
var murmur2 = kgo.StickyKeyPartitioner(nil).ForTopic("")

func partition(key []byte, e *envelope.Envelope, partitions int32) int32 {
	if partitions <= 1 {
		return 0
	}
	if key == nil { // spread by where the record came from, the same on every run
		s := e.Source
		key = []byte(s.TopicID + "/" + strconv.Itoa(int(s.Partition)) + "/" + strconv.FormatInt(s.Offset, 10))
	}
	return int32(murmur2.Partition(&kgo.Record{Key: key}, int(partitions)))
}
