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

// layout is what the decoder knows about one topic.
type layout struct {
	paths
	want map[string]bool // top-level members to keep; nil: all
}

// The repairs: tolerated mistakes of producers, counted because somebody
// should mend them.
const (
	repairedNumber = "not-a-number"     // NaN and Infinity, which Python writes
	repairedDouble = "double-encoded"   // a JSON string that holds the document
	repairedTime   = "event-time"       // a time that no event can have, such as 1970 or 2099
	repairedRecord = "record-timestamp" // the same of the record's timestamp
)

// NewDecoder returns a decoder; a nil config is Defaults. reads names, per topic,
// the top-level members that rules read: others are checked but not kept; nil,
// or a topic that is absent, keeps all. The metrics register with reg, which may
// be nil.
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
			l.want = make(map[string]bool)
			for _, n := range names {
				l.want[n] = true
			}
			for root := range l.roots {
				l.want[root] = true
			}
		}
		d.topics[topic] = l
		d.repairs.WithLabelValues(topic, repairedNumber)
		d.repairs.WithLabelValues(topic, repairedDouble)
		d.repairs.WithLabelValues(topic, repairedTime)
		d.repairs.WithLabelValues(topic, repairedRecord)
	}
	if reg != nil {
		reg.MustRegister(d.repairs)
	}
	return d
}

// Decode reads one record. It returns ErrTombstone for a record without a
// value, and an *outcome.Error that names the step for one that cannot be
// read; the event then holds the record alone.
//
// What one record may take is bounded: Config.MaxUnpacked bytes over all layers,
// and MaxValues values and headers kept. So an event takes at most about ten
// megabytes, and half as much again while it is decoded.
func (d *Decoder) Decode(rec Record) (Event, error) {
	e := Event{Record: rec, Time: rec.Time}
	if rec.Value == nil {
		return e, ErrTombstone
	}
	l := d.topics[rec.Topic]
	if l == nil {
		l = &layout{paths: d.fields}
	}
	left := d.unpack.allowance()
	if err := left.keep(len(rec.Headers)); err != nil {
		return e, err
	}
	value, err := d.unpack.value(rec.Value, &left)
	if err != nil {
		return e, err
	}
	if value, e.SchemaID, err = unframe(value); err != nil {
		return e, err
	}
	structured := structuredCloudEvent(rec.Headers)
	want := l.want
	if structured {
		want = nil
	}
	doc, repaired, err := d.document(rec.Topic, value, want, &left)
	if err != nil {
		return e, err
	}
	if structured {
		if doc, e.CE, err = d.openCloudEvent(rec.Topic, doc, &left); err != nil {
			return e, err
		}
	} else {
		e.CE = binaryCloudEvent(rec.Headers)
	}
	e.Doc, e.Repaired = doc, repaired
	e.ID = firstText(doc, l.id, e.CE.Get("id"))
	e.Type = firstText(doc, l.kind, e.CE.Get("type"))
	d.date(&e, l.time)
	return e, nil
}

// document reads JSON that must hold an object, or a string that holds one, and
// says what it has repaired.
func (d *Decoder) document(topic string, data []byte, want map[string]bool, left *allowance) (_ Value, repaired string, _ error) {
	if len(data) >= 2 && data[0] == 0x80 && data[1] >= 2 && data[1] <= 5 {
		return Value{}, "", outcome.Errorf(outcome.Pickle, "a Python pickle (protocol %d), not JSON: the producer should send json.dumps(…)", data[1])
	}
	v, repaired, err := d.parse(topic, data, want, left)
	if err != nil {
		return Value{}, "", err
	}
	if v.Kind() == String {
		inner := v.Text()
		if strings.HasPrefix(strings.TrimLeft(inner, " \t\r\n"), "{") {
			d.repairs.WithLabelValues(topic, repairedDouble).Inc()
			repaired = "a JSON string that holds the document: it was encoded twice"
			if err := left.unpack("a JSON string in the document", len(inner)); err != nil {
				return Value{}, "", err
			}
			v, _, err = d.parse(topic, bytesOf(inner), want, left)
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

func (d *Decoder) parse(topic string, data []byte, want map[string]bool, left *allowance) (_ Value, repaired string, _ error) {
	if !utf8.Valid(data) {
		return Value{}, "", outcome.Errorf(outcome.NotUTF8, "not UTF-8 at byte %d", invalidAt(data))
	}
	v, repaired, err := parseJSON(data, want, left)
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

// String returns the kind's name with its article, for sentences.
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
