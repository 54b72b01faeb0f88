package schema

import (
	"encoding/binary"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/algotrade/notifier/internal/event"
)

// Read implements event.Schema.
func (s *protoSchema) Read(index, data []byte, members map[string]bool, q *event.Quota, repair func(kind, what string)) (event.Value, error) {
	size := len(data)
	var m *protoMessage
	var err error
	if index != nil {
		m, _, err = s.message(index)
	} else {
		m, data, err = s.message(data)
	}
	if err != nil {
		return event.Value{}, failed(err, size)
	}
	r := &protoReader{reader{quota: q, repair: repair, members: members}}
	v, err := r.message(m, 1, data)
	if err != nil {
		return event.Value{}, failed(err, size)
	}
	return v, nil
}

// zigzag reads a zigzag varint and returns what follows.
func zigzag(data []byte) (int64, []byte, error) {
	n, size := binary.Varint(data)
	switch {
	case size == 0:
		return 0, nil, truncated(len(data))
	case size < 0:
		return 0, nil, mismatch("the index of its message has more than 64 bits")
	}
	return n, data[size:], nil
}

// protoReader reads Protobuf's wire format.
type protoReader struct{ reader }

// occurrence is one field on the wire.
type occurrence struct {
	field int // of protoMessage.fields
	at    int // among all occurrences
	bits  uint64
	bytes []byte // of length-delimited fields and groups
	wire  protowire.Type
}

// message reads one message, which may be in pieces. Fields that it does not know are
// skipped.
func (r *protoReader) message(m *protoMessage, depth int, pieces ...[]byte) (event.Value, error) {
	if err := enter(depth); err != nil {
		return event.Value{}, err
	}
	current := make([]occurrence, m.oneofs)
	for i := range current {
		current[i].field = -1
	}
	var found []occurrence
	for _, piece := range pieces {
		var err error
		if found, err = r.scan(m, piece, depth, found, current); err != nil {
			return event.Value{}, err
		}
	}
	slices.SortStableFunc(found, func(a, b occurrence) int { return a.field - b.field })
	var members []event.Value
	for i := range m.fields {
		f := &m.fields[i]
		n := 0
		for n < len(found) && found[n].field == i {
			n++
		}
		of := found[:n]
		found = found[n:]
		if f.oneof >= 0 { // the member that came last, from where it took over
			of = slices.DeleteFunc(of, func(o occurrence) bool { return current[f.oneof].field != i || o.at < current[f.oneof].at })
		}
		if !r.keeps(f.name, depth) {
			continue
		}
		v, err := r.field(f, of, depth)
		if err != nil {
			return event.Value{}, err
		}
		if v.Kind() != event.Missing {
			if err := r.quota.TakeValues(1); err != nil {
				return event.Value{}, err
			}
			members = append(members, event.Member(f.name, v))
		}
	}
	return r.wellKnown(m, event.ObjectValue(members))
}

// scan appends the known fields of a message in the order of the wire. current has per oneof
// which member is set, by the occurrence that set it first since another was.
func (r *protoReader) scan(m *protoMessage, data []byte, depth int, found, current []occurrence) ([]occurrence, error) {
	for len(data) > 0 {
		number, wire, n := protowire.ConsumeTag(data)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		data = data[n:]
		size := protowire.ConsumeFieldValue(number, wire, data)
		if size < 0 {
			return nil, protowire.ParseError(size)
		}
		i, known := m.byNumber[int32(number)]
		known = known && m.fields[i].accepts(wire)
		o := occurrence{field: i, at: len(found), wire: wire}
		if known && m.fields[i].oneof >= 0 && current[m.fields[i].oneof].field != i {
			current[m.fields[i].oneof] = o
		}
		if known && r.keeps(m.fields[i].name, depth) {
			switch wire {
			case protowire.VarintType:
				o.bits, _ = protowire.ConsumeVarint(data)
			case protowire.Fixed32Type:
				v, _ := protowire.ConsumeFixed32(data)
				o.bits = uint64(v)
			case protowire.Fixed64Type:
				o.bits, _ = protowire.ConsumeFixed64(data)
			case protowire.BytesType:
				o.bytes, _ = protowire.ConsumeBytes(data)
			case protowire.StartGroupType:
				o.bytes, _ = protowire.ConsumeGroup(number, data)
			}
			if err := r.quota.TakeValues(1); err != nil { // an occurrence takes as much memory
				return nil, err
			}
			found = append(found, o)
		}
		data = data[size:]
	}
	return found, nil
}

// wireTypes are the wire types of the kinds that have no length.
var wireTypes = map[protoreflect.Kind]protowire.Type{
	protoreflect.BoolKind: protowire.VarintType, protoreflect.EnumKind: protowire.VarintType,
	protoreflect.Int32Kind: protowire.VarintType, protoreflect.Sint32Kind: protowire.VarintType, protoreflect.Uint32Kind: protowire.VarintType,
	protoreflect.Int64Kind: protowire.VarintType, protoreflect.Sint64Kind: protowire.VarintType, protoreflect.Uint64Kind: protowire.VarintType,
	protoreflect.Sfixed32Kind: protowire.Fixed32Type, protoreflect.Fixed32Kind: protowire.Fixed32Type, protoreflect.FloatKind: protowire.Fixed32Type,
	protoreflect.Sfixed64Kind: protowire.Fixed64Type, protoreflect.Fixed64Kind: protowire.Fixed64Type, protoreflect.DoubleKind: protowire.Fixed64Type,
	protoreflect.GroupKind: protowire.StartGroupType,
}

// accepts reports whether a field can have this wire type; of another it is unknown.
// A list of numbers may be packed or not, whatever the schema says.
func (f *protoField) accepts(wire protowire.Type) bool {
	own, scalar := wireTypes[f.kind]
	switch {
	case !scalar:
		return wire == protowire.BytesType
	case f.list && wire == protowire.BytesType:
		return f.kind != protoreflect.GroupKind
	}
	return wire == own
}
