// Package control has the requests to move waiting alerts from one channel to another. A
// request is a record of the replay topic and covers the records of an outbox below given
// offsets. The owner of each partition carries it out. Ingest settles the request only when
// all these records are settled, so that every later owner also reads it.
package control

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/topics"
)

// Request is a request to move the waiting alerts of a channel.
type Request struct {
	From, To string          // channels
	TopicID  string          // of From's outbox, as text; empty if the broker has no topic ids
	Below    map[int32]int64 // log ends of From's outbox at the time of the request, by partition
	By       string          // user; safe to show
	Offset   int64           // in the replay topic
}

const (
	hMove    = "notifier.move"
	hFrom    = "notifier.channel"
	hTo      = "notifier.move-to"
	hTopicID = "notifier.topic-id"
	hBelow   = "notifier.move-below"
	hBy      = "notifier.by"
)

// Record returns the request as it is written to the group's replay topic.
func (q *Request) Record(group string) *kgo.Record {
	r := &kgo.Record{Topic: topics.Replay(group), Key: []byte("move " + q.From)}
	add := func(name, value string) {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	var below []string
	for _, id := range slices.Sorted(maps.Keys(q.Below)) {
		below = append(below, fmt.Sprintf("%d:%d", id, q.Below[id]))
	}
	add(hMove, "1")
	add(hFrom, q.From)
	add(hTo, q.To)
	add(hTopicID, q.TopicID)
	add(hBelow, strings.Join(below, ","))
	add(hBy, q.By)
	return r
}

// ErrNone is the error of Parse for another record.
var ErrNone = errors.New("not a request to move alerts")

// Parse parses a record of Record. It does not check the offsets: see Clamp.
func Parse(r *kgo.Record) (Request, error) {
	q := Request{Below: make(map[int32]int64), Offset: r.Offset}
	version := ""
	for _, h := range r.Headers {
		v := string(h.Value)
		switch h.Key {
		case hMove:
			version = v
		case hFrom:
			q.From = v
		case hTo:
			q.To = v
		case hTopicID:
			q.TopicID = v
		case hBy:
			q.By = envelope.UserName(v)
		case hBelow:
			for pair := range strings.SplitSeq(v, ",") {
				id, offset, _ := strings.Cut(pair, ":")
				p, err1 := strconv.ParseInt(id, 10, 32)
				o, err2 := strconv.ParseInt(offset, 10, 64)
				if err1 == nil && err2 == nil && p >= 0 && o >= 0 {
					q.Below[int32(p)] = o
				}
			}
		}
	}
	if version == "" || !envelope.IsID(q.From) || !envelope.IsID(q.To) || q.From == q.To || len(q.Below) == 0 {
		return Request{}, ErrNone
	}
	if version != "1" {
		return Request{}, fmt.Errorf("%w: version %q, this notifier reads 1", ErrNone, version)
	}
	return q, nil
}

// Covers reports whether the request covers a record of From's outbox.
func (q *Request) Covers(topicID string, partition int32, offset int64) bool {
	return q.TopicID == topicID && offset < q.Below[partition]
}
