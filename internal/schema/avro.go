package schema

import (
	"fmt"
	"strings"

	"github.com/twmb/avro"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
)

// Avro compiles a writer's schema (Avro 1.12). references are the schemas whose named
// types it uses, each after those that it uses itself. The error is an *outcome.Error.
func Avro(source string, references []string) (event.Schema, error) {
	var cache avro.SchemaCache
	for _, reference := range references {
		if _, err := cache.Parse(reference, avro.WithLaxNames(nil)); err != nil {
			return nil, invalid("a referenced Avro schema", err)
		}
	}
	parsed, err := cache.Parse(source, avro.WithLaxNames(nil))
	if err != nil {
		return nil, invalid("the Avro schema", err)
	}
	c := avroCompiler{named: make(map[string]*avroType)}
	root, err := c.compile(parsed.Root(), "")
	if err != nil {
		return nil, invalid("the Avro schema", err)
	}
	return &avroSchema{root}, nil
}

// invalid is the error of a schema that cannot be compiled.
func invalid(what string, err error) error {
	return outcome.Errorf(outcome.SchemaInvalid, "%s cannot be compiled: %s", what, brief(err))
}

// brief is the beginning of an error of a library, in one line.
func brief(err error) string {
	const most = 200
	text := strings.ToValidUTF8(strings.Join(strings.Fields(err.Error()), " "), "\uFFFD")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// avroType is a type of a compiled schema. It may be recursive.
type avroType struct {
	kind     avroKind
	logical  string // of the kinds that have it; empty: none
	fields   []avroField
	items    *avroType   // of an array or a map
	branches []*avroType // of a union
	symbols  []event.Value
	size     int // of a fixed
	scale    int // of a decimal
}

type avroField struct {
	name string
	is   *avroType
}

type avroKind uint8

const (
	avroNull avroKind = iota
	avroBoolean
	avroInt
	avroLong
	avroFloat
	avroDouble
	avroBytes
	avroString
	avroRecord
	avroEnum
	avroArray
	avroMap
	avroUnion
	avroFixed
)

var avroKinds = map[string]avroKind{
	"null": avroNull, "boolean": avroBoolean, "int": avroInt, "long": avroLong, "float": avroFloat, "double": avroDouble,
	"bytes": avroBytes, "string": avroString, "record": avroRecord, "error": avroRecord, "enum": avroEnum, "array": avroArray,
	"map": avroMap, "union": avroUnion, "fixed": avroFixed,
}

// logicalOf are the kinds that a logical type applies to; on others it is ignored, as the
// specification demands.
var logicalOf = map[string][]avroKind{
	"decimal": {avroBytes, avroFixed}, "uuid": {avroFixed}, "duration": {avroFixed}, "date": {avroInt},
	"time-millis": {avroInt}, "time-micros": {avroLong},
	"timestamp-millis": {avroLong}, "timestamp-micros": {avroLong}, "timestamp-nanos": {avroLong},
	"local-timestamp-millis": {avroLong}, "local-timestamp-micros": {avroLong}, "local-timestamp-nanos": {avroLong},
}

// avroCompiler compiles the tree of a parsed schema, in which a name is defined once.
type avroCompiler struct{ named map[string]*avroType }

func (c *avroCompiler) compile(n *avro.SchemaNode, namespace string) (*avroType, error) {
	kind, ok := avroKinds[n.Type]
	if !ok {
		return c.find(n.Type, namespace)
	}
	t := &avroType{kind: kind, size: n.Size, scale: n.Scale}
	for _, k := range logicalOf[n.LogicalType] {
		if k == kind {
			t.logical = n.LogicalType
		}
	}
	if size := map[string]int{"uuid": 16, "duration": 12}[t.logical]; size != 0 && size != t.size {
		t.logical = ""
	}
	if kind == avroRecord || kind == avroEnum || kind == avroFixed {
		name := n.Name
		if n.Namespace != "" && !strings.Contains(name, ".") {
			name = n.Namespace + "." + name
		}
		c.named[name] = t
		namespace = n.Namespace
	}
	for _, symbol := range n.Symbols {
		t.symbols = append(t.symbols, event.StringValue(symbol))
	}
	var err error
	for i := range n.Fields {
		f := avroField{name: n.Fields[i].Name}
		if f.is, err = c.compile(&n.Fields[i].Type, namespace); err != nil {
			return nil, err
		}
		t.fields = append(t.fields, f)
	}
	for i := range n.Branches {
		branch, err := c.compile(&n.Branches[i], namespace)
		if err != nil {
			return nil, err
		}
		t.branches = append(t.branches, branch)
	}
	if kind == avroArray {
		t.items, err = c.compile(n.Items, namespace)
	} else if kind == avroMap {
		t.items, err = c.compile(n.Values, namespace)
	}
	return t, err
}

// find returns a named type: an unqualified name is of the enclosing namespace, else of
// none (Avro 1.12, Names).
func (c *avroCompiler) find(name, namespace string) (*avroType, error) {
	if t := c.named[namespace+"."+name]; t != nil && namespace != "" && !strings.Contains(name, ".") {
		return t, nil
	}
	if t := c.named[name]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("unknown type %q", name)
}
