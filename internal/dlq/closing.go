package dlq

import (
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/instant"
)

// Closing is the content of a tombstone: whether an entry was resolved or discarded, by
// whom, when and why. It stays readable for the topic's delete.retention.ms.
type Closing struct {
	State    State // Resolved or Discarded
	By       string
	Comment  string
	EditedBy string // who edited the value that was sent; "": not edited
	At       time.Time
	Below    int64 // only versions below this offset are closed; 0: all before the tombstone
}

const (
	hOutcome = "notifier.outcome"
	hBy      = "notifier.by"
	hComment = "notifier.comment"
	hAt      = "notifier.at"
	hVersion = "notifier.entry-version"
)

// below returns the offset below which versions of an entry do not count any
// longer because of this record: a version supersedes those before it, and a
// tombstone closes them, or those up to the one that it names.
func below(r *kgo.Record) int64 {
	if r.Value != nil {
		return r.Offset
	}
	for _, h := range r.Headers {
		if v, err := strconv.ParseInt(string(h.Value), 10, 64); h.Key == hVersion && err == nil && v >= 0 {
			return min(v+1, r.Offset)
		}
	}
	return r.Offset
}

// Encode returns the tombstone that closes the entry.
func (c Closure) Encode() *kgo.Record {
	r := &kgo.Record{Topic: c.Topic, Partition: c.Partition, Key: c.Key}
	add := adder(r)
	add(hOutcome, string(c.State))
	add(hBy, Clean(c.By))
	add(hComment, Clean(c.Comment))
	add(hEditedBy, Clean(c.EditedBy))
	add(hAt, c.At.UTC().Format(time.RFC3339Nano))
	if c.Below > 0 {
		add(hVersion, strconv.FormatInt(c.Below-1, 10))
	}
	return r
}

// parseClosing reads a tombstone. One of another tool, without our headers, is a discard
// by an unknown user.
func parseClosing(r *kgo.Record) *Closing {
	now := time.Now()
	c := &Closing{State: Discarded, At: instant.First(now, r.Timestamp)}
	if end := below(r); end < r.Offset {
		c.Below = end
	}
	for _, h := range r.Headers {
		v := string(h.Value)
		switch h.Key {
		case hOutcome:
			if State(v) == Resolved {
				c.State = Resolved
			}
		case hBy:
			c.By = envelope.UserName(v)
		case hComment:
			c.Comment = Clean(v)
		case hEditedBy:
			c.EditedBy = envelope.UserName(v)
		case hAt:
			if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
				c.At = instant.First(now, t, r.Timestamp)
			}
		}
	}
	return c
}
