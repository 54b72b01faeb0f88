package schema_test

import (
	"encoding/binary"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/twmb/avro"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/schema"
)

func compileAvro(t testing.TB, source string, references ...string) event.Schema {
	t.Helper()
	s, err := schema.Avro(source, references)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// field returns a record schema with one field f.
func field(of string) string {
	return `{"type":"record","name":"R","fields":[{"name":"f","type":` + of + `}]}`
}

// zig is Avro's long.
func zig(n int64) string { return string(binary.AppendVarint(nil, n)) }

func TestAvroTypesBecomeJSON(t *testing.T) {
	for name, c := range map[string]struct{ of, data, want string }{
		"null":                  {`"null"`, "", `null`},
		"boolean":               {`"boolean"`, "\x01", `true`},
		"int":                   {`"int"`, zig(-7), `-7`},
		"long":                  {`"long"`, zig(math.MaxInt64), `9223372036854775807`},
		"least long":            {`"long"`, zig(math.MinInt64), `-9223372036854775808`},
		"float":                 {`"float"`, "\xcd\xcc\xcc\x3d", `0.1`},
		"largest float":         {`"float"`, "\xff\xff\x7f\x7f", `340282346638528860000000000000000000000`},
		"double":                {`"double"`, "\x9a\x99\x99\x99\x99\x99\xb9\x3f", `0.1`},
		"string":                {`"string"`, zig(5) + "päd\u0001", `"päd\u0001"`},
		"bytes":                 {`"bytes"`, zig(3) + "\x00\xff\x10", `"AP8Q"`},
		"enum":                  {`{"type":"enum","name":"E","symbols":["BUY","SELL"]}`, zig(1), `"SELL"`},
		"fixed":                 {`{"type":"fixed","name":"F","size":2}`, "\xff\xfe", `"//4="`},
		"array":                 {`{"type":"array","items":"int"}`, zig(2) + zig(1) + zig(2) + zig(1) + zig(3) + zig(0), `[1,2,3]`},
		"sized block":           {`{"type":"array","items":"int"}`, zig(-2) + zig(2) + zig(1) + zig(2) + zig(0), `[1,2]`},
		"empty array":           {`{"type":"array","items":"int"}`, zig(0), `[]`},
		"map":                   {`{"type":"map","values":"int"}`, zig(2) + zig(1) + "b" + zig(1) + zig(1) + "a" + zig(2) + zig(0), `{"b":1,"a":2}`},
		"union":                 {`["null","int","string"]`, zig(2) + zig(1) + "x", `"x"`},
		"null of union":         {`["null","int"]`, zig(0), `null`},
		"decimal":               {`{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}`, zig(2) + "\x30\x39", `"123.45"`},
		"negative decimal":      {`{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}`, zig(1) + "\xff", `"-0.01"`},
		"decimal with zeros":    {`{"type":"bytes","logicalType":"decimal","precision":9,"scale":3}`, zig(1) + "\x64", `"0.100"`},
		"decimal zero":          {`{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}`, zig(0), `"0.00"`},
		"fixed decimal":         {`{"type":"fixed","name":"D","size":4,"logicalType":"decimal","precision":9,"scale":0}`, "\xff\xff\xff\xfe", `"-2"`},
		"exact decimal":         {`{"type":"bytes","logicalType":"decimal","precision":38,"scale":18}`, zig(16) + "\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff", `"4722.366482869645213695"`},
		"date":                  {`{"type":"int","logicalType":"date"}`, zig(20786), `"2026-11-29"`},
		"time-millis":           {`{"type":"int","logicalType":"time-millis"}`, zig(26569123), `"07:22:49.123"`},
		"time-micros":           {`{"type":"long","logicalType":"time-micros"}`, zig(26569000001), `"07:22:49.000001"`},
		"no time of day":        {`{"type":"long","logicalType":"time-micros"}`, zig(86400000000), `86400000000`},
		"timestamp-millis":      {`{"type":"long","logicalType":"timestamp-millis"}`, zig(1795936969123), `"2026-11-29T07:22:49.123Z"`},
		"timestamp-micros":      {`{"type":"long","logicalType":"timestamp-micros"}`, zig(1795936969123456), `"2026-11-29T07:22:49.123456Z"`},
		"timestamp-nanos":       {`{"type":"long","logicalType":"timestamp-nanos"}`, zig(1795936969123456789), `"2026-11-29T07:22:49.123456789Z"`},
		"local-timestamp":       {`{"type":"long","logicalType":"local-timestamp-millis"}`, zig(1795936969123), `"2026-11-29T07:22:49.123"`},
		"timestamp beyond 9999": {`{"type":"long","logicalType":"timestamp-millis"}`, zig(1795936969123456), `1795936969123456`},
		"largest timestamp":     {`{"type":"long","logicalType":"timestamp-micros"}`, zig(math.MaxInt64), `9223372036854775807`},
		"uuid":                  {`{"type":"string","logicalType":"uuid"}`, zig(36) + "0199d8f2-1111-7222-8333-444455556666", `"0199d8f2-1111-7222-8333-444455556666"`},
		"fixed uuid":            {`{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}`, "\x01\x99\xd8\xf2\x11\x11\x72\x22\x83\x33\x44\x44\x55\x55\x66\x66", `"0199d8f2-1111-7222-8333-444455556666"`},
		"duration":              {`{"type":"fixed","name":"P","size":12,"logicalType":"duration"}`, "\x01\x00\x00\x00\x02\x00\x00\x00\xdc\x05\x00\x00", `"P1M2DT1.500S"`},
		"unknown logical type":  {`{"type":"long","logicalType":"fancy"}`, zig(3), `3`},
		"misplaced logical":     {`{"type":"string","logicalType":"date"}`, zig(1) + "x", `"x"`},
		"record":                {`{"type":"record","name":"In","fields":[{"name":"b","type":"int"},{"name":"a","type":"int"}]}`, zig(1) + zig(2), `{"b":1,"a":2}`},
	} {
		expect(t, name, read(compileAvro(t, field(c.of)), []byte(c.data)), `{"f":`+c.want+`}`)
	}
}

func TestAvroNumberThatJSONLacksIsRepaired(t *testing.T) {
	s := compileAvro(t, `{"type":"record","name":"R","fields":[{"name":"a","type":"double"},{"name":"b","type":"float"},{"name":"c","type":"double"}]}`)
	data := binary.LittleEndian.AppendUint64(nil, math.Float64bits(math.NaN()))
	data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(math.Inf(-1))))
	data = binary.LittleEndian.AppendUint64(data, math.Float64bits(math.MaxFloat64))
	expect(t, "NaN", read(s, data), `{"a":null,"b":null,"c":null}`, "not-a-number", "not-a-number", "unset-number")
}

func TestAvroNamesAreFoundInTheirNamespace(t *testing.T) {
	side := `{"type":"enum","name":"Side","namespace":"desk","symbols":["BUY","SELL"]}`
	order := `{"type":"record","name":"Order","namespace":"desk","fields":[
		{"name":"side","type":"Side"},
		{"name":"leg","type":["null",{"type":"record","name":"Leg","fields":[{"name":"side","type":"desk.Side"},{"name":"next","type":["null","Leg"]}]}]},
		{"name":"other","type":"Leg"}]}`
	s := compileAvro(t, order, side)
	leg := zig(1) + zig(1) + zig(0) + zig(0)
	expect(t, "references", read(s, []byte(zig(0)+zig(1)+leg+zig(1)+zig(0))),
		`{"side":"BUY","leg":{"side":"SELL","next":{"side":"BUY","next":null}},"other":{"side":"SELL","next":null}}`)
	if _, err := schema.Avro(order, nil); outcome.Classify(err).Cause != outcome.SchemaInvalid {
		t.Errorf("without its reference: %v", err)
	}
}

func TestAvroKeepsOnlyTheAskedMembers(t *testing.T) {
	s := compileAvro(t, `{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":{"type":"array","items":"string"}},
		{"name":"c","type":{"type":"record","name":"C","fields":[{"name":"a","type":"int"}]}}]}`)
	data := []byte(zig(1) + zig(1) + zig(1) + "x" + zig(0) + zig(3))
	expect(t, "a and c", read(s, data, "a", "c"), `{"a":1,"c":{"a":3}}`)
	expectFailure(t, "not UTF-8 in a member that is not kept", read(s, []byte(zig(1)+zig(1)+zig(1)+"\xff"+zig(0)+zig(3)), "a"), outcome.NotUTF8)
}

func TestAvroFailuresHaveTheirCause(t *testing.T) {
	deep := `{"type":"record","name":"N","fields":[{"name":"n","type":["null","N"]}]}`
	for name, c := range map[string]struct {
		schema, data string
		want         outcome.Cause
	}{
		"empty":                    {field(`"int"`), "", outcome.Truncated},
		"half a number":            {field(`"long"`), "\x80", outcome.Truncated},
		"half a string":            {field(`"string"`), zig(9) + "abc", outcome.Truncated},
		"half a double":            {field(`"double"`), "abc", outcome.Truncated},
		"more bytes":               {field(`"int"`), zig(1) + "x", outcome.TrailingBytes},
		"boolean 2":                {field(`"boolean"`), "\x02", outcome.SchemaMismatch},
		"int of 33 bits":           {field(`"int"`), zig(1 << 32), outcome.SchemaMismatch},
		"number of 70 bits":        {field(`"long"`), strings.Repeat("\xff", 10) + "\x01", outcome.SchemaMismatch},
		"enum":                     {field(`{"type":"enum","name":"E","symbols":["A"]}`), zig(1), outcome.SchemaMismatch},
		"union":                    {field(`["null","int"]`), zig(2), outcome.SchemaMismatch},
		"negative length":          {field(`"string"`), zig(-1), outcome.SchemaMismatch},
		"largest length":           {field(`"string"`), zig(math.MaxInt64), outcome.Truncated},
		"least count":              {field(`{"type":"array","items":"int"}`), zig(math.MinInt64) + zig(1), outcome.SchemaMismatch},
		"not UTF-8":                {field(`"string"`), zig(1) + "\xff", outcome.NotUTF8},
		"not UTF-8 name":           {field(`{"type":"map","values":"int"}`), zig(1) + zig(1) + "\xff" + zig(1) + zig(0), outcome.NotUTF8},
		"items without bytes":      {field(`{"type":"array","items":"null"}`), zig(math.MaxInt64), outcome.EventTooLarge},
		"large decimal":            {field(`{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}`), zig(300) + strings.Repeat("x", 300), outcome.SchemaMismatch},
		"endless recursion":        {`{"type":"record","name":"N","fields":[{"name":"n","type":"N"}]}`, "", outcome.TooDeep},
		"65 levels":                {deep, strings.Repeat(zig(1), 64) + zig(0), outcome.TooDeep},
		"many records of no bytes": {doubling(40), "", outcome.EventTooLarge},
	} {
		s := compileAvro(t, c.schema)
		expectFailure(t, name, read(s, []byte(c.data)), c.want)
		if name != "large decimal" { // the bytes themselves are right
			expectFailure(t, name+", not kept", read(s, []byte(c.data), "none"), c.want)
		}
	}
	expect(t, "64 levels", read(compileAvro(t, deep), []byte(strings.Repeat(zig(1), 63)+zig(0))), strings.Repeat(`{"n":`, 64)+"null"+strings.Repeat("}", 64))
}

// doubling returns a record that has 2ⁿ records without any bytes.
func doubling(n int) string {
	s := `"null"`
	for i := range n {
		name := string(rune('A'+i%26)) + strings.Repeat("x", i/26)
		s = `{"type":"record","name":"` + name + `","fields":[{"name":"l","type":` + s + `},{"name":"r","type":"` + last(s) + `"}]}`
	}
	return s
}

// last is the name of the type that a schema defines.
func last(s string) string {
	if _, rest, ok := strings.Cut(s, `"name":"`); ok {
		name, _, _ := strings.Cut(rest, `"`)
		return name
	}
	return "null"
}

func TestDefectiveAvroSchemasAreInvalid(t *testing.T) {
	for name, source := range map[string]string{
		"empty": "", "not JSON": "{", "unknown type": `"fancy"`, "no name": `{"type":"record","fields":[]}`,
		"protobuf": `syntax = "proto3";`, "deep": strings.Repeat(`{"type":"array","items":`, 5000) + `"int"` + strings.Repeat("}", 5000),
		"scale": field(`{"type":"bytes","logicalType":"decimal","precision":2,"scale":9}`),
	} {
		_, err := schema.Avro(source, nil)
		if f := outcome.Classify(err); err == nil || f.Cause != outcome.SchemaInvalid || len(f.Detail) > 300 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAvroOfAnotherLibraryIsRead(t *testing.T) {
	source := `{"type":"record","name":"Order","namespace":"desk","fields":[
		{"name":"id","type":"string"},
		{"name":"price","type":["null",{"type":"bytes","logicalType":"decimal","precision":18,"scale":4}]},
		{"name":"fills","type":{"type":"array","items":{"type":"record","name":"Fill","fields":[{"name":"qty","type":"long"},{"name":"tags","type":{"type":"map","values":"string"}}]}}},
		{"name":"first","type":["null","Fill"]}]}`
	fill := map[string]any{"qty": int64(1) << 60, "tags": map[string]any{"k": "v"}}
	data, err := avro.MustParse(source).Encode(map[string]any{"id": "o-1", "price": big.NewRat(1895001, 10000), "fills": []any{fill, fill}, "first": fill})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"qty":1152921504606846976,"tags":{"k":"v"}}`
	expect(t, "order", read(compileAvro(t, source), data), `{"id":"o-1","price":"189.5001","fills":[`+want+`,`+want+`],"first":`+want+`}`)
}
