package schema_test

import (
	"encoding/base64"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/schema"
)

const order = `syntax = "proto3";
package desk;
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/wrappers.proto";
message Order {
  enum Side { SIDE_UNSPECIFIED = 0; SIDE_BUY = 1; SIDE_SELL = 2; }
  message Leg { string symbol = 1; repeated Leg legs = 2; }
  string event_id = 1;
  optional string reason = 2;
  int64 seq = 3;
  uint64 big = 4;
  sint32 delta = 5;
  double ratio = 6;
  float small = 7;
  bool paper = 8;
  Side side = 9;
  bytes raw = 10;
  repeated int32 codes = 11;
  repeated string tags = 12;
  map<string, double> weights = 13;
  map<int32, Leg> legs = 14;
  google.protobuf.Timestamp occurred_at = 15;
  google.protobuf.Duration took = 16;
  google.protobuf.Struct extra = 17;
  google.protobuf.DoubleValue limit = 18;
  google.protobuf.StringValue note = 19;
  oneof kind { string fill = 20; Leg split = 21; int32 code = 22; }
  Leg leg = 23;
  fixed64 mac = 24;
  sfixed32 cold = 25;
  map<bool, Side> sides = 26;
  optional double price = 27;
  google.protobuf.Value any_value = 28;
  google.protobuf.ListValue list = 29;
  repeated Side history = 30;
  google.protobuf.BytesValue blob = 31;
}
message Other { string id = 1; }`

// implicit are the fields of an empty Order.
const implicit = `"seq":0,"big":0,"delta":0,"ratio":0,"small":0,"paper":false,"side":"SIDE_UNSPECIFIED","mac":0,"cold":0`

func TestProtobufTypesBecomeJSON(t *testing.T) {
	s, file := compileProto(t, order, nil), descriptor(t, order)
	for name, c := range map[string]struct{ in, want string }{
		"empty": {`{}`, `{` + implicit + `}`},
		"scalars": {
			`{"event_id":"e-1","reason":"","seq":"-9223372036854775808","big":"18446744073709551615","delta":-5,"ratio":0.1,"small":0.1,"paper":true,"side":"SIDE_SELL","raw":"AP8Q","mac":"9007199254740993","cold":-1,"price":0}`,
			`{"event_id":"e-1","reason":"","seq":-9223372036854775808,"big":18446744073709551615,"delta":-5,"ratio":0.1,"small":0.1,"paper":true,"side":"SIDE_SELL","raw":"AP8Q","mac":9007199254740993,"cold":-1,"price":0}`,
		},
		"lists and maps": {
			`{"codes":[1,-2,3],"tags":["a",""],"weights":{"x":0.5},"legs":{"7":{"symbol":"AAPL","legs":[{"symbol":"MSFT"},{}]}},"sides":{"true":"SIDE_BUY"},"history":["SIDE_BUY",9]}`,
			`{` + implicitUpTo("side") + `,"codes":[1,-2,3],"tags":["a",""],"weights":{"x":0.5},"legs":{"7":{"symbol":"AAPL","legs":[{"symbol":"MSFT"},{}]}},"mac":0,"cold":0,"sides":{"true":"SIDE_BUY"},"history":["SIDE_BUY",9]}`,
		},
		"well-known": {
			`{"occurred_at":"2026-11-29T07:22:49.123456Z","took":"-1.5s","extra":{"a":[1,null,"x",{"b":true}],"n":{}},"limit":0,"note":"","any_value":null,"list":[1,[]],"blob":""}`,
			`{` + implicitUpTo("side") + `,"occurred_at":"2026-11-29T07:22:49.123456Z","took":"-1.5s","extra":{"a":[1,null,"x",{"b":true}],"n":{}},"limit":0,"note":"","mac":0,"cold":0,"any_value":null,"list":[1,[]],"blob":""}`,
		},
		"oneof": {`{"split":{"symbol":"AAPL"}}`, `{` + implicitUpTo("side") + `,"split":{"symbol":"AAPL"},"mac":0,"cold":0}`},
	} {
		data := append([]byte{0}, encode(t, file, c.in)...)
		got := read(s, data)
		if name == "lists and maps" || name == "well-known" { // maps have no order on the wire
			got.text = strings.Replace(got.text, `"n":{},"a":[1,null,"x",{"b":true}]`, `"a":[1,null,"x",{"b":true}],"n":{}`, 1)
		}
		expect(t, name, got, c.want)
	}
}

// implicitUpTo are the implicit fields up to one.
func implicitUpTo(name string) string {
	before, _, _ := strings.Cut(implicit, `,"mac"`)
	if !strings.Contains(before, name) {
		panic(name)
	}
	return before
}

func TestProtobufIndexSelectsTheMessage(t *testing.T) {
	s := compileProto(t, order, nil)
	id := string(protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "x"))
	for name, c := range map[string]struct{ index, want string }{
		"the first":             {"\x00", `{"event_id":"x",` + implicit + `}`},
		"the first, written":    {zig(1) + zig(0), `{"event_id":"x",` + implicit + `}`},
		"the second":            {zig(1) + zig(1), `{"id":"x"}`},
		"nested":                {zig(2) + zig(0) + zig(0), `{"symbol":"x"}`},
		"an entry of a map":     {zig(2) + zig(0) + zig(1), `{"key":"x","value":0}`},
		"the first as a header": {"", `{"event_id":"x",` + implicit + `}`},
	} {
		if c.index == "" {
			q := event.NewQuota(event.DefaultMaxUnpacked)
			v, err := s.Read([]byte{0}, []byte(id), nil, &q, nil)
			if err != nil || v.Get("event_id").Text() != "x" {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		expect(t, name, read(s, []byte(c.index+id)), c.want)
	}
	for name, c := range map[string]struct {
		index string
		want  outcome.Cause
	}{
		"none": {"", outcome.Truncated}, "no such message": {zig(1) + zig(2), outcome.SchemaMismatch}, "negative": {zig(1) + zig(-1), outcome.SchemaMismatch},
		"no such nested": {zig(2) + zig(1) + zig(0), outcome.SchemaMismatch}, "too long": {zig(1000), outcome.SchemaMismatch},
		"negative length": {zig(-1), outcome.SchemaMismatch}, "cut off": {zig(2) + zig(0), outcome.Truncated},
	} {
		expectFailure(t, name, read(s, []byte(c.index)), c.want)
	}
}

// wire builds messages that no library writes.
type wire []byte

func (w wire) varint(field protowire.Number, n uint64) wire {
	return protowire.AppendVarint(protowire.AppendTag(w, field, protowire.VarintType), n)
}

func (w wire) bytes(field protowire.Number, b []byte) wire {
	return protowire.AppendBytes(protowire.AppendTag(w, field, protowire.BytesType), b)
}

func TestUnusualProtobufIsReadAsSpecified(t *testing.T) {
	s, file := compileProto(t, order, nil), descriptor(t, order)
	first := file.Messages().Get(0)
	leg := wire{}.bytes(1, []byte("A"))
	for name, data := range map[string]wire{
		"the last of a field":             wire{}.varint(3, 1).varint(3, 2),
		"a message in pieces":             wire{}.bytes(23, leg).bytes(23, wire{}.bytes(2, leg)).bytes(23, wire{}.bytes(2, nil)),
		"a list in pieces":                wire{}.varint(11, 1).bytes(11, []byte{2, 3}).varint(11, 4),
		"an oneof set anew":               wire{}.bytes(20, []byte("x")).bytes(21, leg).varint(22, 3),
		"an oneof message in pieces":      wire{}.bytes(21, leg).varint(22, 3).bytes(21, wire{}.bytes(2, leg)).bytes(21, wire{}.bytes(2, leg)),
		"an unknown field":                wire{}.varint(99, 1).bytes(98, leg).varint(3, 1),
		"an unknown group":                append(protowire.AppendTag(wire{}, 97, protowire.StartGroupType), append(wire{}.varint(1, 1), protowire.AppendTag(nil, 97, protowire.EndGroupType)...)...),
		"another wire type":               wire{}.varint(1, 7).bytes(3, []byte("x")).varint(24, 5),
		"an int32 of 64 bits":             wire{}.varint(11, math.MaxUint64).varint(11, 1<<40+5),
		"a sint32 of 64 bits":             wire{}.varint(5, 1<<40+3),
		"a boolean of 7":                  wire{}.varint(8, 7),
		"an unknown enum":                 wire{}.varint(9, 77),
		"a negative enum":                 wire{}.varint(9, math.MaxUint64),
		"an entry without value":          wire{}.bytes(13, wire{}.bytes(1, []byte("k"))).bytes(14, wire{}.varint(1, 4)),
		"an entry without key":            wire{}.bytes(13, nil),
		"an entry with two values":        wire{}.bytes(14, wire{}.varint(1, 4).bytes(2, leg).bytes(2, wire{}.bytes(2, leg))),
		"a packed list that is empty":     wire{}.bytes(11, nil),
		"a string list of packed numbers": wire{}.bytes(12, []byte{1, 2}),
	} {
		m := dynamicpb.NewMessage(first)
		if err := proto.Unmarshal(data, m); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		expect(t, name, read(s, append([]byte{0}, data...)), plainJSON(m))
	}
}

func TestProtobufKeepsOnlyTheAskedMembers(t *testing.T) {
	s := compileProto(t, order, nil)
	data := wire{0}.bytes(1, []byte("e-1")).bytes(20, []byte("x")).varint(22, 3).bytes(13, wire{}.bytes(1, []byte("k")))
	expect(t, "kept", read(s, data, "event_id", "seq", "weights", "fill"), `{"event_id":"e-1","seq":0,"weights":{"k":0}}`)
}

func TestProtobufFailuresHaveTheirCause(t *testing.T) {
	s := compileProto(t, order, nil)
	deep := wire{}
	for range 64 {
		deep = wire{}.bytes(2, deep)
	}
	many := wire{0}
	for range event.MaxValues + 1 {
		many = many.bytes(12, nil)
	}
	for name, c := range map[string]struct {
		data wire
		want outcome.Cause
	}{
		"half a tag":         {wire{0, 0x80}, outcome.Truncated},
		"half a number":      {wire{0, 0x18, 0x80}, outcome.Truncated},
		"half a string":      {wire{0, 0x0a, 9, 'x'}, outcome.Truncated},
		"half a group":       {append(wire{0}, protowire.AppendTag(nil, 97, protowire.StartGroupType)...), outcome.Truncated},
		"wrong end of group": {append(wire{0}, protowire.AppendTag(nil, 97, protowire.EndGroupType)...), outcome.SchemaMismatch},
		"field 0":            {wire{0, 0x02, 0}, outcome.SchemaMismatch},
		"number of 70 bits":  {append(wire{0, 0x18}, strings.Repeat("\xff", 11)...), outcome.SchemaMismatch},
		"not UTF-8":          {wire{0}.bytes(1, []byte("\xff")), outcome.NotUTF8},
		"half a packed list": {wire{0}.bytes(11, []byte{0x80}), outcome.Truncated},
		"too deep":           {wire{0}.bytes(23, deep), outcome.TooDeep},
		"too many values":    {many, outcome.EventTooLarge},
		"too many packed":    {wire{0}.bytes(11, make([]byte, event.MaxValues+1)), outcome.EventTooLarge},
	} {
		expectFailure(t, name, read(s, c.data), c.want)
	}
}

func TestProtobufNumberThatJSONLacksIsRepaired(t *testing.T) {
	s, file := compileProto(t, order, nil), descriptor(t, order)
	data := append([]byte{0}, encode(t, file, `{"ratio":"NaN","price":"-Infinity","limit":"NaN"}`)...)
	expect(t, "NaN", read(s, data, "ratio", "price", "limit"), `{"ratio":null,"limit":null,"price":null}`, "not-a-number", "not-a-number", "not-a-number")
}

func TestCommonProtobufImportsAreKnown(t *testing.T) {
	source := `syntax = "proto3"; package desk;
		import "confluent/meta.proto"; import "confluent/type/decimal.proto"; import "google/type/decimal.proto"; import "google/type/money.proto"; import "google/type/date.proto"; import "desk/side.proto";
		option (confluent.file_meta).doc = "orders";
		message Order {
			confluent.type.Decimal price = 1 [(confluent.field_meta) = { params: [{ key: "precision", value: "9" }] }];
			google.type.Decimal limit = 2; google.type.Money fee = 3; google.type.Date day = 4; Side side = 5; }`
	s := compileProto(t, source, map[string]string{"desk/side.proto": `syntax = "proto3"; package desk; enum Side { BUY = 0; SELL = 1; }`})
	data := wire{0}.bytes(1, wire{}.bytes(1, []byte{0x30, 0x39}).varint(2, 9).varint(3, 2)).
		bytes(2, wire{}.bytes(1, []byte("1.50"))).bytes(3, wire{}.bytes(1, []byte("USD")).varint(2, 5)).
		bytes(4, wire{}.varint(1, 2026).varint(2, 11).varint(3, 9)).varint(5, 1)
	expect(t, "order", read(s, data), `{"price":"123.45","limit":"1.50","fee":{"currency_code":"USD","units":5,"nanos":0},"day":"2026-11-09","side":"SELL"}`)
	expect(t, "no value", read(s, wire{0}.bytes(1, wire{}.varint(2, 9)), "price"), `{"price":"0"}`)
	expectFailure(t, "huge scale", read(s, wire{0}.bytes(1, wire{}.bytes(1, []byte{1}).varint(3, 1<<30))), outcome.SchemaMismatch)
}

func TestProtobufDescriptorInBase64IsCompiled(t *testing.T) {
	data, err := proto.Marshal(protodesc.ToFileDescriptorProto(descriptor(t, order)))
	if err != nil {
		t.Fatal(err)
	}
	s := compileProto(t, base64.StdEncoding.EncodeToString(data), nil)
	expect(t, "order", read(s, wire{0}.bytes(1, []byte("e-1")), "event_id"), `{"event_id":"e-1"}`)
}

func TestProtobufOfVersion2IsRead(t *testing.T) {
	s := compileProto(t, `syntax = "proto2"; message Order {
		required string id = 1; optional int32 qty = 2 [default = 7]; repeated int32 codes = 3; optional group Leg = 4 { optional string symbol = 1; } extensions 100 to 200; }`, nil)
	leg := append(protowire.AppendTag(nil, 4, protowire.StartGroupType), append(wire{}.bytes(1, []byte("A")), protowire.AppendTag(nil, 4, protowire.EndGroupType)...)...)
	expect(t, "order", read(s, append(wire{0}.bytes(1, []byte("x")).varint(3, 1).varint(3, 2).varint(100, 1), leg...)), `{"id":"x","codes":[1,2],"leg":{"symbol":"A"}}`)
}

func TestDefectiveProtobufSchemasAreInvalid(t *testing.T) {
	for name, source := range map[string]string{
		"avro": field(`"int"`), "unknown type": `syntax = "proto3"; message A { B b = 1; }`,
		"unknown import": `syntax = "proto3"; import "nowhere.proto"; message A { }`, "itself": "syntax = \"proto3\"; import \"\\x00\"; message A { }",
		"base64 of something else": base64.StdEncoding.EncodeToString([]byte("something else")),
		"deep":                     `syntax = "proto3"; ` + strings.Repeat("message A { ", 10000) + strings.Repeat("}", 10000),
	} {
		_, err := schema.Protobuf(t.Context(), source, nil)
		if f := outcome.Classify(err); err == nil || f.Cause != outcome.SchemaInvalid || len(f.Detail) > 300 || strings.Contains(f.Detail, "\x00") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
