// Package state keeps small records that must survive a restart in a compacted topic of
// the group: the last value of each key, per kind and channel. What a value means is
// left to those who write it.
package state

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/topics"
)

// Kind is what a record describes. It is part of the key.
type Kind string

// The kinds.
const (
	Throttle   Kind = "throttle"   // what was told last of a rule and alert key
	Silence    Kind = "silence"    // which alerts operators have silenced, for all channels
	Suppressed Kind = "suppressed" // how many alerts a silence or quiet hours have kept from a channel
	Trouble    Kind = "trouble"    // what is wrong with a channel, and whether that was told
)

// AllChannels is the channel of records that concern all channels.
const AllChannels = "*"

// Record is the last value of a key.
type Record struct {
	Kind    Kind
	Channel string
	Key     string
	Value   []byte // nil: a tombstone, the key has no value any longer
}

const (
	headerVersion = "notifier.version"
	// version is that of keys and values. Records of another one are left alone.
	version = "1"
)

// encode returns the record of the state topic: its key is KIND/CHANNEL/KEY.
func (r Record) encode(group string) *kgo.Record {
	return &kgo.Record{
		Topic: topics.State(group), Key: []byte(string(r.Kind) + "/" + r.Channel + "/" + r.Key), Value: r.Value,
		Headers: []kgo.RecordHeader{{Key: headerVersion, Value: []byte(version)}},
	}
}

// decode returns the record; false: it is of another version, or not ours.
func decode(r *kgo.Record) (Record, bool) {
	parts := strings.SplitN(string(r.Key), "/", 3)
	if len(parts) != 3 || len(r.Headers) == 0 || r.Headers[0].Key != headerVersion || string(r.Headers[0].Value) != version {
		return Record{}, false
	}
	return Record{Kind: Kind(parts[0]), Channel: parts[1], Key: parts[2], Value: r.Value}, true
}
