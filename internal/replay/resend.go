package replay

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/topics"
)

// Resend asks the daemon to send an alert again that was settled: a copy of its record
// in an outbox. It is a record of the group's replay topic, without a payload.
type Resend struct {
	Alert   string // its id
	Channel string // the destination
	// Outbox is the channel whose outbox has the alert, TopicID, Partition and Offset
	// are its place there.
	Outbox      string
	TopicID     string // empty if the broker has no topic ids
	Partition   int32
	Offset      int64
	By, Comment string
}

const (
	hResend          = "notifier.resend"
	hResendOutbox    = "notifier.outbox"
	hResendTopicID   = "notifier.topic-id"
	hResendPartition = "notifier.outbox-partition"
	hResendOffset    = "notifier.outbox-offset"
)

// Record returns the request as it is written to the group's replay topic.
func (s *Resend) Record(group string) *kgo.Record {
	r := &kgo.Record{Topic: topics.Replay(group), Key: []byte("resend " + s.Alert)}
	for _, h := range [][2]string{
		{hResend, s.Alert},
		{hRequestChannel, s.Channel},
		{hResendOutbox, s.Outbox},
		{hResendTopicID, s.TopicID},
		{hResendPartition, strconv.Itoa(int(s.Partition))},
		{hResendOffset, strconv.FormatInt(s.Offset, 10)},
		{hRequestBy, s.By},
		{hRequestComment, s.Comment},
	} {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
	}
	return r
}

var errNoResend = errors.New("not a request to send an alert again")

// ParseResend reads what Record wrote.
func ParseResend(r *kgo.Record) (*Resend, error) {
	s := &Resend{Partition: -1, Offset: -1}
	for _, h := range r.Headers {
		v := string(h.Value)
		switch h.Key {
		case hResend:
			s.Alert = v
		case hRequestChannel:
			s.Channel = v
		case hResendOutbox:
			s.Outbox = v
		case hResendTopicID:
			s.TopicID = v
		case hResendPartition:
			if n, err := strconv.ParseInt(v, 10, 32); err == nil {
				s.Partition = int32(n)
			}
		case hResendOffset:
			if n, err := strconv.ParseInt(v, 10, 64); err == nil {
				s.Offset = n
			}
		case hRequestBy:
			s.By = envelope.UserName(v)
		case hRequestComment:
			s.Comment = dlq.Clean(v)
		}
	}
	if !envelope.IsID(s.Alert) || !envelope.IsID(s.Channel) || !envelope.IsID(s.Outbox) || s.Partition < 0 || s.Offset < 0 {
		return nil, errNoResend
	}
	return s, nil
}

// From returns the delivery in the record of the outbox that a request names.
func (s *Resend) From(r *kgo.Record) (*envelope.Envelope, error) {
	if r == nil {
		return nil, errGone
	}
	e, _, err := envelope.Parse(r)
	switch {
	case err != nil:
		return nil, err
	case e.Alert == nil || e.Alert.ID != s.Alert:
		return nil, fmt.Errorf("%s/%d@%d is another alert", r.Topic, r.Partition, r.Offset)
	}
	return e, nil
}

var errGone = errors.New("the outbox no longer has it")
