package schema_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/schema"
)

func compileProto(t testing.TB, source string, imports map[string]string) event.Schema {
	t.Helper()
	s, err := schema.Protobuf(t.Context(), source, imports)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// descriptor compiles a schema for the library that writes the test's messages.
func descriptor(t testing.TB, source string) protoreflect.FileDescriptor {
	t.Helper()
	c := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(map[string]string{"order.proto": source})})}
	files, err := c.Compile(context.Background(), "order.proto")
	if err != nil {
		t.Fatal(err)
	}
	return files[0]
}

// encode returns the bytes of the first message with these fields.
func encode(t testing.TB, file protoreflect.FileDescriptor, jsonText string) []byte {
	t.Helper()
	m := dynamicpb.NewMessage(file.Messages().Get(0))
	if err := protojson.Unmarshal([]byte(jsonText), m); err != nil {
		t.Fatal(err)
	}
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// plainJSON renders what Protobuf's own library has read, without well-known types.
func plainJSON(m protoreflect.Message) string {
	var members []string
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		text := f.Kind() == protoreflect.StringKind || f.Kind() == protoreflect.BytesKind
		if m.Has(f) || !f.HasPresence() && !f.IsList() && !f.IsMap() && !text {
			members = append(members, strconv.Quote(string(f.Name()))+":"+plainField(f, m.Get(f)))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

func plainField(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	var parts []string
	switch {
	case f.IsList():
		for i := range v.List().Len() {
			parts = append(parts, plainOne(f, v.List().Get(i)))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case f.IsMap():
		v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			parts = append(parts, strconv.Quote(k.String())+":"+plainOne(f.MapValue(), v))
			return true
		})
		slices.Sort(parts)
		return "{" + strings.Join(parts, ",") + "}"
	}
	return plainOne(f, v)
}

func plainOne(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return plainJSON(v.Message())
	case protoreflect.EnumKind:
		if name := f.Enum().Values().ByNumber(v.Enum()); name != nil {
			return strconv.Quote(string(name.Name()))
		}
		return fmt.Sprint(v.Enum())
	case protoreflect.StringKind:
		b, _ := json.Marshal(v.String())
		return string(b)
	case protoreflect.BytesKind:
		return strconv.Quote(base64.StdEncoding.EncodeToString(v.Bytes()))
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		if math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0) {
			return "null"
		}
		bits := 64
		if f.Kind() == protoreflect.FloatKind {
			bits = 32
		}
		return strconv.FormatFloat(v.Float(), 'f', -1, bits)
	}
	return v.String()
}
