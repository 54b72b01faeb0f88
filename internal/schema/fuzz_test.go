package schema_test

import (
	"math"
	"strings"
	"testing"

	"github.com/twmb/avro"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/schema"
)

const anyAvro = `{"type":"record","name":"N","fields":[
	{"name":"a","type":{"type":"array","items":["null","N","long","double",{"type":"bytes","logicalType":"decimal","precision":20,"scale":5}]}},
	{"name":"m","type":{"type":"map","values":["string","N",{"type":"enum","name":"E","symbols":["A","B"]}]}},
	{"name":"t","type":["null",{"type":"long","logicalType":"timestamp-micros"},{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}]},
	{"name":"b","type":"boolean"}]}`

// FuzzAvro compares with a library what can be read at all.
func FuzzAvro(f *testing.F) {
	ours, theirs := compileAvro(f, anyAvro), avro.MustParse(anyAvro)
	for _, data := range []string{
		zig(0) + zig(0) + zig(0) + "\x01",
		zig(-2) + zig(30) + zig(2) + zig(5) + zig(4) + zig(2) + "\x30\x39" + zig(0) + zig(1) + zig(1) + "k" + zig(2) + zig(1) + zig(0) + zig(1) + zig(math.MaxInt64) + "\x00",
		zig(1) + zig(1) + zig(0) + zig(0) + zig(0) + "\x00" + zig(0) + zig(0) + zig(2) + "0123456789abcdef\x01",
	} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got := read(ours, data)
		var v any
		rest, err := theirs.Decode(data, &v)
		switch {
		case got.cause == outcome.TooDeep, got.cause == outcome.EventTooLarge, got.cause == outcome.NotUTF8:
		case strings.Contains(got.detail, "is too large"), strings.Contains(got.detail, "a boolean"): // it reads all bytes but 1 as false
		case (err == nil && len(rest) == 0) != (got.cause == ""):
			t.Errorf("%x: read %.100s, cause %q (%s); the library: %v, %d bytes left", data, got.text, got.cause, got.detail, err, len(rest))
		}
	})
}

const anyProto = `syntax = "proto3"; message N {
	int64 a = 1; sint32 b = 2; double c = 3; float d = 4; bool e = 5; repeated fixed32 f = 6; repeated sint64 g = 7; repeated string h = 8;
	N n = 9; repeated N l = 10; oneof o { int32 x = 11; N y = 12; string z = 13; } enum E { A = 0; B = 1; } optional E i = 14; bytes j = 15; }`

// FuzzProtobuf compares with Protobuf's own library.
func FuzzProtobuf(f *testing.F) {
	ours, theirs := compileProto(f, anyProto, nil), descriptor(f, anyProto).Messages().Get(0)
	leg := wire{}.varint(1, 5).bytes(13, []byte("z"))
	for _, data := range []wire{
		{},
		wire{}.varint(2, 3).bytes(7, []byte{1, 2, 3}).varint(7, 4), wire{}.bytes(9, leg).bytes(9, wire{}.bytes(10, leg)),
		wire{}.bytes(12, leg).varint(11, 1).bytes(12, leg), wire{}.varint(14, 9).bytes(15, []byte{0, 255}), wire{}.bytes(15, nil),
		wire{}.bytes(9, []byte{2, 5, 48}).bytes(9, []byte{48, 48, 48, 48}), // together they are a field

		append(protowire.AppendTag(wire{}, 99, protowire.StartGroupType), protowire.AppendTag(leg, 99, protowire.EndGroupType)...),
	} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got := read(ours, append([]byte{0}, data...))
		m := dynamicpb.NewMessage(theirs)
		err := proto.Unmarshal(data, m)
		switch {
		case got.cause == outcome.TooDeep, got.cause == outcome.EventTooLarge:
		case err == nil && got.cause != "": // it also looks at what counts no longer
			t.Errorf("%x: read %.200s, cause %q (%s); the library: %v", data, got.text, got.cause, got.detail, err)
		case err == nil && len(got.repairs) == 0 && got.text != plainJSON(m):
			t.Errorf("%x:\n got %s\nwant %s", data, got.text, plainJSON(m))
		}
	})
}

func FuzzSchemas(f *testing.F) {
	f.Add(anyAvro, []byte(zig(0)+zig(0)+zig(0)+"\x01"))
	f.Add(anyProto, []byte{0, 8, 1})
	f.Add(order, []byte{0, 8, 1})
	f.Fuzz(func(t *testing.T, source string, data []byte) {
		if len(source) > 1<<12 {
			return
		}
		if s, err := schema.Avro(source, nil); err == nil {
			read(s, data)
		}
		if s, err := schema.Protobuf(t.Context(), source, nil); err == nil {
			read(s, data)
		}
	})
}
