package event

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/topics"
)

// Decoder turns records into events. It is safe for concurrent use.
type Decoder struct {
	topics     map[string]*layout
	fields     paths // of topics that are not in the map
	unpack     *unpacker
	repairs    repairs
	violations violations
	schemas    Schemas // of a registry; nil: none
}

// layout holds the paths of one topic.
type layout struct {
	paths
	members map[string]bool // top-level members to keep; nil: all
	check   Check
}

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
		repairs: newRepairs(reg), violations: newViolations(reg),
	}
	for _, name := range topics.All() {
		fields, ok := config.Topics[string(name)]
		if !ok {
			fields = DefaultFields()
		}
		d.topics[string(name)] = &layout{paths: fields.compile()}
	}
	return d.Keeping(reads)
}

// Checking returns a decoder with the same settings, metrics and log that checks the
// events of topics, and keeps all members.
func (d *Decoder) Checking(checks map[string]Check) *Decoder {
	other := *d
	other.topics = make(map[string]*layout, len(d.topics))
	for topic, l := range d.topics {
		other.topics[topic] = &layout{paths: l.paths, check: checks[topic]}
	}
	return &other
}

// Keeping returns a decoder with the same settings, checks, metrics and log that keeps
// other top-level members: see NewDecoder. It keeps what the checks read, too.
func (d *Decoder) Keeping(reads map[string][]string) *Decoder {
	other := *d
	other.topics = make(map[string]*layout, len(d.topics))
	for topic, l := range d.topics {
		l := &layout{paths: l.paths, check: l.check}
		names, ok := reads[topic]
		if ok && l.check.Schema != nil {
			checked, all := l.check.Schema.Reads()
			names, ok = append(slices.Clip(names), checked...), !all
		}
		if ok {
			l.members = make(map[string]bool)
			for _, n := range names {
				l.members[n] = true
			}
			for root := range l.roots {
				l.members[root] = true
			}
		}
		other.topics[topic] = l
	}
	return &other
}

func (d *Decoder) layout(topic string) *layout {
	if l := d.topics[topic]; l != nil {
		return l
	}
	return &layout{paths: d.fields}
}

// Decode reads one record. It returns ErrTombstone for a record without a value,
// and an *outcome.Error for one that it cannot read; the event then holds only
// the record. With UseSchemas it may return a *SchemaMissing. Config.MaxUnpacked and
// MaxValues bound an event to about 10 MB, plus 5 MB while it is decoded.
func (d *Decoder) Decode(rec Record) (Event, error) {
	e := Event{Record: rec}
	if err := d.decode(&e); err != nil {
		return Event{Record: rec, Time: rec.Time}, err
	}
	return e, nil
}

func (d *Decoder) decode(e *Event) error {
	rec := &e.Record
	if rec.Value == nil {
		return ErrTombstone
	}
	l := d.layout(rec.Topic)
	q := d.unpack.quota()
	if err := q.TakeValues(len(rec.Headers)); err != nil {
		return err
	}
	value, err := d.unpack.value(rec.Value, &q)
	if err != nil {
		return err
	}
	f := unframe(value, rec.Headers)
	e.SchemaID = f.id.Number
	structured := structuredCloudEvent(rec.Headers)
	members := l.members
	if structured {
		members = nil
	}
	if f.found {
		e.Doc, err = d.schemaDocument(e, &f, members, &q)
	} else {
		e.Doc, err = d.document(e, value, members, &q)
	}
	if err != nil {
		return err
	}
	if structured {
		err = d.openCloudEvent(e, &q)
	} else {
		e.CE = binaryCloudEvent(rec.Headers)
	}
	if err != nil {
		return err
	}
	e.ID = d.text(e, l.id, "id")
	e.Type = d.text(e, l.kind, "type")
	d.setTime(e, l.time)
	return d.check(e, &l.check)
}

// document reads a JSON object, or a JSON string that holds one.
func (d *Decoder) document(e *Event, data []byte, members map[string]bool, q *Quota) (Value, error) {
	v, err := d.parse(e, data, members, q)
	if err != nil {
		return Value{}, err
	}
	if v.Kind() == String {
		inner := v.Text()
		if strings.HasPrefix(strings.TrimLeft(inner, "\ufeff \t\r\n"), "{") {
			d.repairs.add(e, repairedDouble, "the document is encoded twice: it is a JSON string")
			if err := q.TakeBytes("a JSON string in the document", len(inner)); err != nil {
				return Value{}, err
			}
			v, err = d.parse(e, bytesOf(inner), members, q)
			if err != nil {
				err := outcome.Classify(err)
				return Value{}, outcome.Errorf(err.Cause, "inside a JSON string: %s", err.Detail)
			}
		} else if err := foreign(bytesOf(inner)); err != nil {
			return Value{}, outcome.Errorf(err.Cause, "inside a JSON string: %s", err.Detail)
		}
	}
	if v.Kind() != Object {
		return Value{}, outcome.Errorf(outcome.NotAnObject, "an event is a JSON object, found %s", v.Kind())
	}
	return v, nil
}

func (d *Decoder) parse(e *Event, data []byte, members map[string]bool, q *Quota) (Value, error) {
	v, found, err := Value{}, []repair(nil), error(nil)
	if utf8.Valid(data) {
		v, found, err = parseJSON(data, members, q)
	} else {
		err = outcome.Errorf(outcome.NotUTF8, "not UTF-8 at byte %d", invalidAt(data))
	}
	if err != nil {
		if err := foreign(data); err != nil {
			return Value{}, err
		}
		return Value{}, err
	}
	for _, r := range found {
		d.repairs.add(e, r.kind, r.what)
	}
	return v, nil
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
