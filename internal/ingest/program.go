package ingest

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/rule"
)

// Decoder turns a record into an event.
type Decoder interface {
	Decode(rec event.Record) (event.Event, error)
}

// Rules says which alerts an event raises. An error is an *outcome.Error.
type Rules interface {
	MatchKnown(ev *event.Event, now time.Time, known *rule.Resolved) ([]alert.Alert, error)
}

// Prefilter recognises records that certainly raise no alert: see rule.Prefilter.
type Prefilter interface {
	Quiet(rec event.Record, now time.Time, known *rule.Resolved) bool
}

// Program is what turns a record into alerts. Handler.Use replaces it.
type Program struct {
	Decoder   Decoder
	Rules     Rules
	Prefilter Prefilter  // nil: every record is decoded
	Names     []RuleName // for metrics created at zero
}

// RuleName names a rule and a severity it can yield, for metrics.
type RuleName struct {
	Rule     string
	Severity alert.Severity
}

// NewProgram returns the program of rules for events that d decodes.
func NewProgram(set *rule.Set, d *event.Decoder) Program {
	d = d.Keeping(set.Reads())
	p := Program{Decoder: d, Rules: set, Prefilter: set.Prefilter(d)}
	for _, one := range set.Rules() {
		for _, severity := range one.Severities {
			p.Names = append(p.Names, RuleName{Rule: one.Name, Severity: severity})
		}
	}
	return p
}

// Match decodes and matches one record that arrived at arrived; age and ago count from
// now. What is known of keys with clear is kept in known; nil: nothing is. The event ends
// here: what an alert needs of it is copied. The error is event.ErrTombstone, an
// *outcome.Error, or one of the decoder's Schemas: the record cannot be matched yet.
func (p *Program) Match(r *kgo.Record, arrived, now time.Time, known *rule.Resolved) ([]alert.Alert, error) {
	rec := event.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value, Time: r.Timestamp, Arrived: arrived}
	if p.Prefilter != nil && plain(r.Headers) && p.Prefilter.Quiet(rec, now, known) {
		return nil, nil
	}
	if len(r.Headers) > 0 {
		rec.Headers = make([]event.Header, len(r.Headers))
		for i, h := range r.Headers {
			rec.Headers[i] = event.Header{Name: h.Key, Value: h.Value}
		}
	}
	ev, err := p.Decoder.Decode(rec)
	if err != nil {
		return nil, err
	}
	return p.Rules.MatchKnown(&ev, now, known)
}

// plain reports whether a record has few headers and is no CloudEvent.
func plain(headers []kgo.RecordHeader) bool {
	for _, h := range headers {
		if event.CloudEventHeader(h.Key, h.Value) {
			return false
		}
	}
	return len(headers) < 1000
}
