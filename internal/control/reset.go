package control

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/topics"
)

// Reset says that a channel was mended: whoever has a partition of its outbox
// tries it now, instead of when it would have by itself. It means the processes
// that run when it is written, and is settled at once.
type Reset struct {
	Channel string
	By      string // who asked
}

const hReset = "notifier.reset"

// Record returns the reset as it is written to the group's replay topic.
func (q *Reset) Record(group string) *kgo.Record {
	return &kgo.Record{
		Topic: topics.Replay(group), Key: []byte("reset " + q.Channel),
		Headers: []kgo.RecordHeader{
			{Key: hReset, Value: []byte("1")}, {Key: hFrom, Value: []byte(q.Channel)}, {Key: hBy, Value: []byte(q.By)},
		},
	}
}

// ParseReset reads what Record wrote; ErrNone for any other record.
func ParseReset(r *kgo.Record) (Reset, error) {
	var q Reset
	version := ""
	for _, h := range r.Headers {
		switch h.Key {
		case hReset:
			version = string(h.Value)
		case hFrom:
			q.Channel = string(h.Value)
		case hBy:
			q.By = envelope.Person(string(h.Value))
		}
	}
	if version == "" || !envelope.IsID(q.Channel) {
		return Reset{}, ErrNone
	}
	if version != "1" {
		return Reset{}, fmt.Errorf("%w: version %q, this notifier reads 1", ErrNone, version)
	}
	return q, nil
}
