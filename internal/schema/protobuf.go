package schema

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/algotrade/notifier/internal/event"
)

// mainFile is the path of the schema itself, which no import can name.
const mainFile = "\x00"

// Protobuf compiles a .proto file, or a FileDescriptorProto in base64. imports are the
// files that it imports, by path; those of Protobuf and the common ones of Confluent and
// Google are known. The error is an *outcome.Error.
func Protobuf(ctx context.Context, source string, imports map[string]string) (event.Schema, error) {
	c := protocompile.Compiler{MaxParallelism: 1, Resolver: protocompile.WithStandardImports(protocompile.ResolverFunc(func(path string) (protocompile.SearchResult, error) {
		if path == mainFile {
			return protoSource(path, source), nil
		}
		if imported, ok := imports[path]; ok {
			return protoSource(path, imported), nil
		}
		if common, ok := commonFiles[path]; ok {
			return protocompile.SearchResult{Source: strings.NewReader(common)}, nil
		}
		return protocompile.SearchResult{}, protoregistry.NotFound
	}))}
	files, err := c.Compile(ctx, mainFile)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		var panicked protocompile.PanicError
		if errors.As(err, &panicked) { // its text has a stack
			err = errors.New("the compiler panicked")
		}
		return nil, invalid("the Protobuf schema", fmt.Errorf("%s", strings.ReplaceAll(err.Error(), mainFile, "schema")))
	}
	p := protoCompiler{messages: make(map[protoreflect.FullName]*protoMessage), enums: make(map[protoreflect.FullName]*protoEnum)}
	return &protoSchema{p.compileAll(files[0].Messages())}, nil
}

// protoSource returns a file, which some clients register as a descriptor in base64.
func protoSource(path, source string) protocompile.SearchResult {
	if data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(source)); err == nil {
		file := new(descriptorpb.FileDescriptorProto)
		if proto.Unmarshal(data, file) == nil {
			file.Name = &path
			return protocompile.SearchResult{Proto: file}
		}
	}
	return protocompile.SearchResult{Source: strings.NewReader(source)}
}

// commonFiles are what clients of Confluent never register, in addition to Protobuf's own
// files, as far as it matters for reading. They are shortened: options do not change the bytes.
var commonFiles = map[string]string{
	"confluent/meta.proto": `syntax = "proto3"; package confluent; import "google/protobuf/descriptor.proto";
		message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; }
		extend google.protobuf.FileOptions { Meta file_meta = 1088; }
		extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
		extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
		extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
		extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }`,
	"confluent/type/decimal.proto": `syntax = "proto3"; package confluent.type;
		message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }`,
	"google/type/decimal.proto": `syntax = "proto3"; package google.type; message Decimal { string value = 1; }`,
	"google/type/money.proto": `syntax = "proto3"; package google.type;
		message Money { string currency_code = 1; int64 units = 2; int32 nanos = 3; }`,
	"google/type/date.proto": `syntax = "proto3"; package google.type; message Date { int32 year = 1; int32 month = 2; int32 day = 3; }`,
	"google/type/timeofday.proto": `syntax = "proto3"; package google.type;
		message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; }`,
}

// protoMessage is a compiled message. It may be recursive.
type protoMessage struct {
	name     protoreflect.FullName
	fields   []protoField    // as declared
	byNumber map[int32]int   // to fields
	nested   []*protoMessage // as declared
	oneofs   int
}

type protoField struct {
	name     string
	kind     protoreflect.Kind
	message  *protoMessage // of a message, a group or a map's entry
	enum     *protoEnum
	list     bool
	isMap    bool
	implicit bool // without presence: not on the wire if it is zero
	oneof    int  // -1: in none
}

type protoEnum struct{ names map[int32]event.Value }

// protoCompiler copies what reading needs of descriptors, which are many times as large.
type protoCompiler struct {
	messages map[protoreflect.FullName]*protoMessage
	enums    map[protoreflect.FullName]*protoEnum
}

func (c *protoCompiler) compileAll(list protoreflect.MessageDescriptors) []*protoMessage {
	all := make([]*protoMessage, list.Len())
	for i := range all {
		all[i] = c.compile(list.Get(i))
	}
	return all
}

func (c *protoCompiler) compile(d protoreflect.MessageDescriptor) *protoMessage {
	if m := c.messages[d.FullName()]; m != nil {
		return m
	}
	m := &protoMessage{name: d.FullName(), byNumber: make(map[int32]int), oneofs: d.Oneofs().Len()}
	c.messages[m.name] = m
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		field := protoField{
			name: string(f.Name()), kind: f.Kind(), list: f.IsList(), isMap: f.IsMap(), oneof: -1,
			implicit: !f.HasPresence() && !f.IsList() && !f.IsMap(),
		}
		if o := f.ContainingOneof(); o != nil {
			field.oneof = o.Index()
		}
		if f.Message() != nil {
			field.message = c.compile(f.Message())
		}
		if f.Enum() != nil {
			field.enum = c.compileEnum(f.Enum())
		}
		m.fields = append(m.fields, field)
		m.byNumber[int32(f.Number())] = i
	}
	m.nested = c.compileAll(d.Messages())
	return m
}

func (c *protoCompiler) compileEnum(d protoreflect.EnumDescriptor) *protoEnum {
	e := c.enums[d.FullName()]
	if e != nil {
		return e
	}
	e = &protoEnum{names: make(map[int32]event.Value)}
	c.enums[d.FullName()] = e
	for i := range d.Values().Len() {
		v := d.Values().Get(i)
		if _, ok := e.names[int32(v.Number())]; !ok { // with allow_alias the first name counts
			e.names[int32(v.Number())] = event.StringValue(string(v.Name()))
		}
	}
	return e
}

// protoSchema is an event.Schema.
type protoSchema struct{ messages []*protoMessage }

// maxIndex bounds the depth of a nested message's declaration.
const maxIndex = 64

// message reads the index of a message: how many numbers, then the position among the
// messages of the file, of that message, and so on; a single 0 is the first message
// (Confluent, Wire format). It returns what follows.
func (s *protoSchema) message(data []byte) (*protoMessage, []byte, error) {
	n, data, err := zigzag(data)
	if err != nil {
		return nil, nil, err
	}
	if n < 0 || n > maxIndex {
		return nil, nil, mismatch("the index of its message has %d numbers", n)
	}
	path := make([]int64, max(n, 1))
	for i := range n {
		if path[i], data, err = zigzag(data); err != nil {
			return nil, nil, err
		}
	}
	messages := s.messages
	var m *protoMessage
	for _, at := range path {
		if at < 0 || at >= int64(len(messages)) {
			return nil, nil, mismatch("it has no message with the index %d", path)
		}
		m = messages[at]
		messages = m.nested
	}
	return m, data, nil
}
