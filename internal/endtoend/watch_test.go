//go:build synctests

package endtoend

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/simulation/oracle"
	"github.com/algotrade/notifier/internal/topics"
)

// placeOf returns the place of a record, by the id of its topic.
func (t *trial) placeOf(topicID string, partition int32, offset int64) oracle.Place {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, known := t.ids[topicID]
	if !known {
		return oracle.Place{}
	}
	at.Partition, at.Offset = partition, offset
	return at
}

// look sees what is new at the brokers: before each step, so that what led to
// it comes first. The history calls it with its lock held. The brokers work on
// meanwhile, so effects are read before their causes: commits, then outboxes,
// requests, dead letters, and sources last. In the other order there could be a
// dead letter without its record.
func (t *trial) look(s *step) {
	for _, g := range []string{group, topics.OutboxGroup(group)} {
		info := t.fake.GroupInfo(g)
		if info == nil {
			continue
		}
		for topic, ps := range info.Commits {
			for id, c := range ps {
				key := commit{group: g, topic: topic, partition: id}
				now := commit{g, topic, id, c.Offset, c.Metadata}
				if t.committed[key] != now {
					t.committed[key] = now
					s.commits = append(s.commits, now)
				}
			}
		}
	}
	for _, topic := range slices.Concat(t.outboxTopics(), []string{topics.Replay(group)}, t.deadTopics(), t.sources()) {
		t.mu.Lock()
		instance := t.present[topic]
		t.mu.Unlock()
		for _, p := range t.fake.PartitionInfos(topic) {
			at := oracle.Place{Topic: topic, Partition: p.Partition, Instance: instance}
			if p.HighWatermark > t.grown[at] {
				t.grown[at] = p.HighWatermark
				at.Offset = p.HighWatermark
				s.ends = append(s.ends, at)
			}
		}
	}
}

// request gets every request of a process: who writes under which producer id,
// which commits are asked for, and when an assignment is.
func (t *trial) request(n *process, by int, request []byte) {
	switch req := decode(request).(type) {
	case *kmsg.ProduceRequest:
		for _, topic := range req.Topics {
			for _, p := range topic.Partitions {
				if len(p.Records) >= 51 { // of a batch, the producer id
					t.mu.Lock()
					t.writers[int64(binary.BigEndian.Uint64(p.Records[43:]))] = by
					t.mu.Unlock()
				}
			}
		}
	case *kmsg.SyncGroupRequest:
		t.history.add(step{kind: synced, node: n.name, by: by, event: -1, text: req.Group, what: oracle.Happening{Group: req.Group}})
	case *kmsg.OffsetCommitRequest:
		if req.MemberID == "" {
			return // as an operator would, before it joins
		}
		for _, topic := range req.Topics {
			for _, p := range topic.Partitions {
				s := step{kind: committed, node: n.name, by: by, event: -1, what: oracle.Happening{Kind: oracle.Claimed, By: by, Group: req.Group}}
				if p.Metadata != nil {
					s.metadata = *p.Metadata
				}
				said, err := readClaims(p.Offset, s.metadata)
				if err != nil {
					t.history.note(garbled, n.name, "%v", err)
				}
				s.what.Place, s.what.Above = t.placeOf(said.topicID, p.Partition, p.Offset), said.above
				t.history.add(s)
			}
		}
	}
}

// decode reads a request as it is written; nil: it is none of those of
// interest.
func decode(b []byte) kmsg.Request {
	key := keyOf(b)
	if key != int16(kmsg.Produce) && key != int16(kmsg.OffsetCommit) && key != int16(kmsg.SyncGroup) || len(b) < 14 {
		return nil
	}
	req := kmsg.RequestForKey(key)
	req.SetVersion(int16(binary.BigEndian.Uint16(b[6:])))
	body := 14 + max(0, int(int16(binary.BigEndian.Uint16(b[12:])))) // the client's id
	if req.IsFlexible() {
		body++ // no tags
	}
	if err := req.ReadFrom(b[body:]); err != nil {
		panic(fmt.Sprintf("%s: %v", kmsg.NameForKey(key), err))
	}
	return req
}

// claims is what the metadata of a commit says.
type claims struct {
	topicID string
	above   []oracle.Span // settled offsets above the committed one
}

// readClaims reads the metadata of a commit, apart from the code that wrote it.
func readClaims(offset int64, metadata string) (out claims, err error) {
	f := strings.Fields(metadata)
	if len(f) < 3 || f[0] != "notifier/2" {
		return out, fmt.Errorf("metadata %q", metadata)
	}
	out.topicID = f[2]
	if len(f) < 5 || f[4] == "-" {
		return out, nil
	}
	raw, err := base64.RawStdEncoding.DecodeString(f[4])
	if err != nil {
		return out, err
	}
	next := func() int64 {
		v, n := binary.Uvarint(raw)
		raw = raw[max(n, 0):]
		return int64(v)
	}
	settled := func(first, last int64) {
		if first <= last {
			out.above = append(out.above, oracle.Span{First: first, Last: last})
		}
	}
	newest := offset + next()
	at := offset
	for len(raw) > 0 { // the runs of unsettled offsets
		from := at + next()
		to := from + next()
		settled(at, from-1)
		at = to + 1
	}
	settled(at, newest)
	return out, nil
}

// cut is what a process logs when its client takes a log for cut off.
func (t *trial) cut(by int, r slog.Record) oracle.Happening {
	h := oracle.Happening{Kind: oracle.Cut, By: by, Group: group}
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "topic":
			h.Place.Topic = a.Value.String()
		case "partition":
			h.Place.Partition = int32(a.Value.Int64())
		case "reset":
			h.Place.Offset = a.Value.Int64()
		}
		return true
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	h.Place.Instance = t.present[h.Place.Topic]
	for _, topic := range t.outboxTopics() {
		if topic == h.Place.Topic {
			h.Group = topics.OutboxGroup(group)
		}
	}
	return h
}

// idOf returns the id of a topic as it is now.
func (t *trial) idOf(topic string) string { return envelope.TopicID(t.fake.TopicInfo(topic).TopicID) }
