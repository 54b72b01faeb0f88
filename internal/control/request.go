// Package control is how what waits for one channel is sent to another: a
// person's request is one record of the group's replay topic, it means the
// records of an outbox below the offsets that it names, and whoever owns a
// partition of that outbox carries it out. Ingest keeps the request open
// until all of them are settled, so that every later owner finds it too.
package control

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/topics"
)

// Request asks to send elsewhere what waits in an outbox.
type Request struct {
	From, To string // channels
	// TopicID is the instance of From's outbox that is meant, in text; empty
	// where the broker has no topic ids.
	TopicID string
	// Below is, per partition of From's outbox, the offset below which records
	// are meant: the log's end when the request was made.
	Below map[int32]int64
	By    string // who asked, as it can be shown
	// Offset is where the request stands in the replay topic: where it was read.
	Offset int64
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
	var ids []int32
	for id := range q.Below {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var below []string
	for _, id := range ids {
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

// ErrNone is returned for a record that is no request to move.
var ErrNone = errors.New("not a request to move alerts")

// Parse reads what Record wrote; ErrNone for any other record. Offsets may be
// any that are not negative: see Clamp.
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

// Covers reports whether a record of From's outbox is meant.
func (q *Request) Covers(topicID string, partition int32, offset int64) bool {
	return q.TopicID == topicID && offset < q.Below[partition]
}
