package outbox

import (
	"crypto/sha256"
	"encoding/json"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/envelope"
)

// Record returns the outbox record of a delivery, with its key and partition.
func Record(e *envelope.Envelope, topic string, partitions int32) *kgo.Record {
	r := envelope.Wrap(e)
	r.Topic = topic
	r.Key = lane(e)
	r.Partition = Partition(e, r.Key, partitions, false)
	return r
}

// lane returns the key of a delivery's record: the lane, whose deliveries are sent in
// order. It is the alert key for rules that throttle or clear, else the source's record
// key. Records without a key, nil, have no common lane. A key of more than maxLane bytes
// is replaced by its hash.
func lane(e *envelope.Envelope) []byte {
	key := e.Source.Key
	if e.Alert.Throttle > 0 || e.Alert.Clears {
		key, _ = json.Marshal(append([]string{e.Alert.Rule}, e.Alert.Key...))
	}
	if len(key) > maxLane {
		sum := sha256.Sum256(key)
		key = sum[:]
	}
	return key
}

const maxLane = 1 << 10 // bytes

// murmur2 is the default partitioner of the Java client and kgo.
var murmur2 = kgo.StickyKeyPartitioner(nil).ForTopic("")

// bySeverity returns the partition of an alert in the outbox of a channel with a single
// owner: 0 for rules that can raise a critical alert, 1 for those that raise warnings
// at worst, 2 for infos, or the last one that there is. All alerts of a rule share a
// partition, so those of an alert key do.
func bySeverity(a *alert.Alert, partitions int32) int32 {
	return max(0, min(int32(a.Class()), partitions-1))
}

// Partition returns the partition of a delivery's record with this key in an outbox of so
// many. single: the channel has a single owner.
func Partition(e *envelope.Envelope, key []byte, partitions int32, single bool) int32 {
	switch {
	case single:
		return bySeverity(e.Alert, partitions)
	case partitions <= 1:
		return 0
	}
	if key == nil { // spread by source offset, the same on every run
		s := e.Source
		key = []byte(s.TopicID + "/" + strconv.Itoa(int(s.Partition)) + "/" + strconv.FormatInt(s.Offset, 10))
	}
	return int32(murmur2.Partition(&kgo.Record{Key: key}, int(partitions)))
}
