package schema

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
)

// avroSchema is an event.Schema.
type avroSchema struct{ root *avroType }

// Read implements event.Schema.
func (s *avroSchema) Read(_, data []byte, members map[string]bool, q *event.Quota, repair func(kind, what string)) (event.Value, error) {
	r := &avroReader{reader: reader{quota: q, repair: repair, members: members}, data: data, steps: 4*len(data) + maxEmpty}
	v, err := r.value(s.root, 1, true)
	if err == nil && r.pos < len(data) {
		err = outcome.Errorf(outcome.TrailingBytes, "%d bytes after the document", len(data)-r.pos)
	}
	if err != nil {
		return event.Value{}, failed(err, len(data))
	}
	return v, nil
}

// maxEmpty is how many values may take no bytes: nulls and empty records. Others take one or
// more, with up to three more steps for the record or union that they are in.
const maxEmpty = 10_000

// avroReader reads the binary encoding (Avro 1.12). The first error ends it.
type avroReader struct {
	reader
	data []byte
	pos  int
	// steps limits the values that are read, kept or not: values of some types take no
	// bytes, so that a few bytes can stand for any number of them.
	steps int
}

// value reads a value. depth is that of an array or object, from 1. Without keep it only
// checks it.
func (r *avroReader) value(t *avroType, depth int, keep bool) (event.Value, error) {
	if r.steps--; r.steps < 0 {
		return event.Value{}, outcome.Errorf(outcome.EventTooLarge, "more than %d values that take no bytes", maxEmpty)
	}
	switch t.kind {
	case avroNull:
		return event.NullValue(), nil
	case avroBoolean:
		b, err := r.take(1)
		if err != nil || b[0] > 1 {
			return event.Value{}, r.fail(err, "a boolean is neither 0 nor 1")
		}
		return event.BoolValue(b[0] == 1), nil
	case avroInt, avroLong:
		n, err := r.long()
		if err != nil || t.kind == avroInt && n != int64(int32(n)) { //nolint:gosec // the comparison is the check
			return event.Value{}, r.fail(err, "an int has more than 32 bits")
		}
		return number(t.logical, n, keep), nil
	case avroFloat, avroDouble:
		return r.floating(t, keep)
	case avroBytes, avroString:
		n, err := r.long()
		if err != nil || n < 0 {
			return event.Value{}, r.fail(err, "a negative length")
		}
		return r.octets(t, n, keep)
	case avroFixed:
		return r.octets(t, int64(t.size), keep)
	case avroEnum:
		n, err := r.long()
		if err != nil || n < 0 || n >= int64(len(t.symbols)) {
			return event.Value{}, r.fail(err, "an enum has no such symbol")
		}
		return t.symbols[n], nil
	case avroUnion:
		n, err := r.long()
		if err != nil || n < 0 || n >= int64(len(t.branches)) {
			return event.Value{}, r.fail(err, "a union has no such branch")
		}
		return r.value(t.branches[n], depth, keep)
	case avroRecord:
		return r.record(t, depth, keep)
	}
	return r.blocks(t, depth, keep)
}

// fail returns err, or a mismatch at the position.
func (r *avroReader) fail(err error, what string) error {
	if err != nil {
		return err
	}
	return mismatch("%s at byte %d: another schema was used to write it", what, r.pos)
}

// take reads n bytes.
func (r *avroReader) take(n int64) ([]byte, error) {
	if n > int64(len(r.data)-r.pos) {
		return nil, truncated(len(r.data))
	}
	b := r.data[r.pos : r.pos+int(n)]
	r.pos += int(n)
	return b, nil
}

// long reads a zigzag varint.
func (r *avroReader) long() (int64, error) {
	n, size := binary.Varint(r.data[r.pos:])
	switch {
	case size == 0:
		return 0, truncated(len(r.data))
	case size < 0:
		return 0, r.fail(nil, "a number has more than 64 bits")
	}
	r.pos += size
	return n, nil
}

func (r *avroReader) floating(t *avroType, keep bool) (event.Value, error) {
	size := int64(8)
	if t.kind == avroFloat {
		size = 4
	}
	b, err := r.take(size)
	switch {
	case err != nil || !keep:
		return event.Value{}, err
	case t.kind == avroFloat:
		return r.single(math.Float32frombits(binary.LittleEndian.Uint32(b))), nil
	}
	return r.float(math.Float64frombits(binary.LittleEndian.Uint64(b))), nil
}

// octets reads n bytes of a string, bytes or fixed.
func (r *avroReader) octets(t *avroType, n int64, keep bool) (event.Value, error) {
	b, err := r.take(n)
	switch {
	case err != nil:
		return event.Value{}, err
	case t.kind == avroString:
		return text(b)
	case !keep:
		return event.Value{}, nil
	case t.logical == "decimal":
		return r.decimal(b, t.scale)
	case t.logical == "uuid":
		return uuid(b), nil
	case t.logical == "duration":
		return period(binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])), nil
	}
	return r.binary(b)
}

func (r *avroReader) record(t *avroType, depth int, keep bool) (event.Value, error) {
	if err := enter(depth); err != nil {
		return event.Value{}, err
	}
	var members []event.Value
	for i := range t.fields {
		f := &t.fields[i]
		kept := keep && r.keeps(f.name, depth)
		v, err := r.value(f.is, depth+1, kept)
		if err != nil {
			return event.Value{}, err
		}
		if kept {
			if err := r.quota.TakeValues(1); err != nil {
				return event.Value{}, err
			}
			if members == nil {
				members = make([]event.Value, 0, min(len(t.fields), 64))
			}
			members = append(members, event.Member(f.name, v))
		}
	}
	return event.ObjectValue(members), nil
}

// blocks reads the blocks of an array or a map. A negative count is followed by the size
// of its block in bytes.
func (r *avroReader) blocks(t *avroType, depth int, keep bool) (event.Value, error) {
	if err := enter(depth); err != nil {
		return event.Value{}, err
	}
	var list []event.Value
	for {
		count, err := r.long()
		if err == nil && count < 0 {
			_, err = r.long()
			count = -count
		}
		switch {
		case err != nil || count < 0: // -count overflows
			return event.Value{}, r.fail(err, "an impossible number of items")
		case count == 0 && t.kind == avroMap:
			return event.ObjectValue(list), nil
		case count == 0:
			return event.ArrayValue(list), nil
		}
		for range count {
			v, kept, err := r.item(t, depth, keep)
			if err != nil {
				return event.Value{}, err
			}
			if kept {
				if err := r.quota.TakeValues(1); err != nil {
					return event.Value{}, err
				}
				list = append(list, v)
			}
		}
	}
}

// item reads an item of an array, or a member of a map with its name.
func (r *avroReader) item(t *avroType, depth int, keep bool) (v event.Value, kept bool, err error) {
	name := ""
	if kept = keep; t.kind == avroMap {
		n, err := r.long()
		if err != nil || n < 0 {
			return event.Value{}, false, r.fail(err, "a negative length")
		}
		b, err := r.take(n)
		if err != nil {
			return event.Value{}, false, err
		}
		key, err := text(b)
		if err != nil {
			return event.Value{}, false, err
		}
		name = key.Text()
		kept = keep && r.keeps(name, depth)
	}
	v, err = r.value(t.items, depth+1, kept)
	return event.Member(name, v), kept, err
}

// number returns an int or a long, of a logical type as text.
func number(logical string, n int64, keep bool) event.Value {
	if !keep {
		return event.Value{}
	}
	switch logical {
	case "date":
		return moment(time.Unix(n*24*60*60, 0), time.DateOnly, n)
	case "time-millis":
		return timeOfDay(time.Duration(n)*time.Millisecond, n)
	case "time-micros":
		if n != n*1000/1000 { // overflows
			return integer(n)
		}
		return timeOfDay(time.Duration(n)*time.Microsecond, n)
	case "timestamp-millis":
		return moment(time.UnixMilli(n), withZone, n)
	case "timestamp-micros":
		return moment(time.UnixMicro(n), withZone, n)
	case "timestamp-nanos":
		return moment(time.Unix(0, n), withZone, n)
	case "local-timestamp-millis":
		return moment(time.UnixMilli(n), withoutZone, n)
	case "local-timestamp-micros":
		return moment(time.UnixMicro(n), withoutZone, n)
	case "local-timestamp-nanos":
		return moment(time.Unix(0, n), withoutZone, n)
	}
	return integer(n)
}
