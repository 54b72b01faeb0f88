package event

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/algotrade/notifier/internal/outcome"
)

// SchemaID identifies a schema of a schema registry, by its number or, if that is 0,
// by its GUID.
type SchemaID struct {
	Number int
	GUID   string
}

// String returns the number or the GUID.
func (id SchemaID) String() string {
	if id.GUID != "" {
		return id.GUID
	}
	return strconv.Itoa(id.Number)
}

// Schema reads documents in a binary format.
type Schema interface {
	// Read reads one document, which is all of data. Of an object's members it keeps
	// those in members (nil: all) and takes each value from q. index is what selects the
	// message of a Protobuf schema; nil: data begins with it. repair is told of tolerated
	// mistakes. The error is an *outcome.Error; the value shares the memory of data.
	Read(index, data []byte, members map[string]bool, q *Quota, repair func(kind, what string)) (Value, error)
}

// Schemas finds schemas; those of a daemon never wait. It is safe for concurrent use.
type Schemas interface {
	// Find returns a schema; nil: its documents are JSON. The error is an *outcome.Error,
	// a *SchemaMissing if the schema is not known yet, or says why it cannot be known now.
	Find(id SchemaID) (Schema, error)
}

// SchemaMissing is the error of Decode for a record whose schema has to be fetched first.
type SchemaMissing struct{ ID SchemaID }

func (e *SchemaMissing) Error() string { return fmt.Sprintf("schema %s is not fetched yet", e.ID) }

// UseSchemas has Decode read the binary formats of a schema registry. Call it before
// Decode.
func (d *Decoder) UseSchemas(s Schemas) { d.schemas = s }

// frame is what Confluent's wire format says of a value.
type frame struct {
	found bool
	id    SchemaID
	index []byte // of a header; nil: the body begins with it
	body  []byte
}

// frameSize is the size of the Confluent wire format's prefix: a zero byte and the
// schema id, four bytes, big-endian.
const frameSize = 5

// schemaHeader is the header of newer clients: a byte 1, the schema's GUID, and the
// index of a Protobuf message.
const (
	schemaHeader     = "__value_schema_id"
	schemaHeaderSize = 17
)

// unframe returns the frame of a value, which most values have not.
func unframe(data []byte, headers []Header) frame {
	for i := len(headers) - 1; i >= 0; i-- {
		if h := headers[i]; h.Name == schemaHeader && len(h.Value) >= schemaHeaderSize && h.Value[0] == 1 {
			g := h.Value[1:schemaHeaderSize]
			guid := fmt.Sprintf("%x-%x-%x-%x-%x", g[:4], g[4:6], g[6:8], g[8:10], g[10:])
			return frame{found: true, id: SchemaID{GUID: guid}, index: h.Value[schemaHeaderSize:], body: data}
		}
	}
	if len(data) <= frameSize || data[0] != 0 {
		return frame{body: data}
	}
	return frame{found: true, id: SchemaID{Number: int(binary.BigEndian.Uint32(data[1:frameSize]))}, body: data[frameSize:]}
}

// schemaDocument reads a document that was written with a schema. JSON is read without
// it; text that is not JSON may also be Avro or Protobuf.
func (d *Decoder) schemaDocument(e *Event, f *frame, members map[string]bool, q *Quota) (Value, error) {
	var notJSON error
	if c := bytes.TrimLeft(f.body, "\ufeff \t\r\n"); len(c) > 0 && (c[0] == '{' || c[0] == '[' || c[0] == '"') {
		before := *q
		v, err := d.document(e, f.body, members, q)
		if err == nil || d.schemas == nil {
			return v, err
		}
		*q, notJSON = before, err
	}
	if d.schemas == nil {
		return Value{}, outcome.Errorf(outcome.NeedsRegistry, "Avro or Protobuf with schema id %s: only JSON can be read without schema_registry in notifier.yaml", f.id)
	}
	s, err := d.schemas.Find(f.id)
	switch {
	case err != nil:
		return Value{}, err
	case s != nil:
		return d.readSchema(e, s, f, members, q)
	case notJSON != nil:
		return Value{}, notJSON
	}
	return d.document(e, f.body, members, q) // for its error
}

func (d *Decoder) readSchema(e *Event, s Schema, f *frame, members map[string]bool, q *Quota) (Value, error) {
	v, err := s.Read(f.index, f.body, members, q, func(kind, what string) { d.repairs.add(e, kind, what) })
	var failed *outcome.Error
	switch {
	case errors.As(err, &failed):
		return Value{}, outcome.Errorf(failed.Cause, "schema %s: %s", f.id, failed.Detail)
	case err != nil:
		return Value{}, err
	case v.Kind() != Object:
		return Value{}, outcome.Errorf(outcome.NotAnObject, "schema %s: an event is an object, found %s", f.id, v.Kind())
	}
	return v, nil
}
