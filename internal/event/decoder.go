package event

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/topics"
)

// Decoder turns records into events. It is safe for concurrent use.
type Decoder struct {
	topics  map[string]*layout
	fields  paths // of topics that are not in the map
	unpack  *unpacker
	repairs *prometheus.CounterVec
}

// layout holds the paths of one topic.
type layout struct {
	paths
	members map[string]bool // top-level members to keep; nil: all
}

// The repairs: tolerated mistakes of producers, counted by kind.
const (
	repairedNumber = "not-a-number"     // NaN or Infinity
	repairedDouble = "double-encoded"   // a JSON string that holds the document
	repairedTime   = "event-time"       // an implausible event time, such as 1970 or 2099
	repairedRecord = "record-timestamp" // an implausible record timestamp
)

// NewDecoder returns a decoder; a nil config is Defaults. reads names the
// top-level members to keep, by topic; others are checked but not kept. A nil map
// or an absent topic keeps all. reg may be nil.
func NewDecoder(config *Config, reads map[string][]string, reg prometheus.Registerer) *Decoder {
	if config == nil {
		defaults := Defaults()
		config = &defaults
	}
	d := &Decoder{
		topics: make(map[string]*layout), fields: DefaultFields().compile(), unpack: newUnpacker(config.MaxUnpacked),
		repairs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notifier_events_repaired_total",
			Help: "Events with a tolerated mistake of their producer: NaN or Infinity read as null, a document encoded twice, or a time before 1990 or more than a day ahead.",
		}, []string{"topic", "repair"}),
	}
	for _, name := range topics.All() {
		topic := string(name)
		fields, ok := config.Topics[topic]
		if !ok {
			fields = DefaultFields()
		}
		l := &layout{paths: fields.compile()}
		if names, ok := reads[topic]; ok {
			l.members = make(map[string]bool)
			for _, n := range names {
				l.members[n] = true
			}
			for root := range l.roots {
				l.members[root] = true
			}
		}
		d.topics[topic] = l
		for _, repair := range []string{repairedNumber, repairedDouble, repairedTime, repairedRecord} {
			d.repairs.WithLabelValues(topic, repair)
		}
	}
	if reg != nil {
		reg.MustRegister(d.repairs)
	}
	return d
}

func (d *Decoder) layout(topic string) *layout {
	if l := d.topics[topic]; l != nil {
		return l
	}
	return &layout{paths: d.fields}
}

// Decode reads one record. It returns ErrTombstone for a record without a value,
// and an *outcome.Error for one that it cannot read; the event then holds only
// the record. Config.MaxUnpacked and MaxValues bound an event to about 10 MB, plus
// 5 MB while it is decoded.
func (d *Decoder) Decode(rec Record) (Event, error) {
	e := Event{Record: rec, Time: rec.Time}
	if rec.Value == nil {
		return e, ErrTombstone
	}
	l := d.layout(rec.Topic)
	q := d.unpack.quota()
	if err := q.takeValues(len(rec.Headers)); err != nil {
		return e, err
	}
	value, err := d.unpack.value(rec.Value, &q)
	if err != nil {
		return e, err
	}
	if value, e.SchemaID, err = unframe(value); err != nil {
		return e, err
	}
	structured := structuredCloudEvent(rec.Headers)
	members := l.members
	if structured {
		members = nil
	}
	doc, repaired, err := d.document(rec.Topic, value, members, &q)
	if err != nil {
		return e, err
	}
	if structured {
		if doc, e.CE, err = d.openCloudEvent(rec.Topic, doc, &q); err != nil {
			return e, err
		}
	} else {
		e.CE = binaryCloudEvent(rec.Headers)
	}
	e.Doc, e.Repaired = doc, repaired
	e.ID = firstText(doc, l.id, e.CE.Get("id"))
	e.Type = firstText(doc, l.kind, e.CE.Get("type"))
	d.setTime(&e, l.time)
	return e, nil
}

// document reads a JSON object, or a JSON string that holds one.
func (d *Decoder) document(topic string, data []byte, members map[string]bool, q *quota) (_ Value, repaired string, _ error) {
	if len(data) >= 2 && data[0] == 0x80 && data[1] >= 2 && data[1] <= 5 {
		return Value{}, "", outcome.Errorf(outcome.Pickle, "a Python pickle (protocol %d), not JSON: send json.dumps(…) instead", data[1])
	}
	v, repaired, err := d.parse(topic, data, members, q)
	if err != nil {
		return Value{}, "", err
	}
	if v.Kind() == String {
		inner := v.Text()
		if strings.HasPrefix(strings.TrimLeft(inner, " \t\r\n"), "{") {
			d.repairs.WithLabelValues(topic, repairedDouble).Inc()
			repaired = "the document is encoded twice: it is a JSON string"
			if err := q.takeBytes("a JSON string in the document", len(inner)); err != nil {
				return Value{}, "", err
			}
			v, _, err = d.parse(topic, bytesOf(inner), members, q)
			if err != nil {
				err := outcome.Classify(err)
				return Value{}, "", outcome.Errorf(err.Cause, "inside a JSON string: %s", err.Detail)
			}
		}
	}
	if v.Kind() != Object {
		return Value{}, "", outcome.Errorf(outcome.NotAnObject, "an event is a JSON object, found %s", v.Kind())
	}
	return v, repaired, nil
}

func (d *Decoder) parse(topic string, data []byte, members map[string]bool, q *quota) (_ Value, repaired string, _ error) {
	if !utf8.Valid(data) {
		return Value{}, "", outcome.Errorf(outcome.NotUTF8, "not UTF-8 at byte %d", invalidAt(data))
	}
	v, repaired, err := parseJSON(data, members, q)
	if repaired != "" {
		d.repairs.WithLabelValues(topic, repairedNumber).Inc()
	}
	return v, repaired, err
}

func invalidAt(data []byte) int {
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(data)
}

func firstText(doc Value, paths [][]string, fallback Value) string {
	for _, path := range paths {
		if v := doc.Lookup(path...); v.Kind() == String || v.Kind() == Number {
			return v.Text()
		}
	}
	return fallback.Text()
}

// String returns the name of the kind with an article.
func (k Kind) String() string {
	switch k {
	case Missing:
		return "nothing"
	case Null:
		return "null"
	case Bool:
		return "a boolean"
	case Number:
		return "a number"
	case String:
		return "a string"
	case Array:
		return "an array"
	case Object:
		return "an object"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}
