package yamldoc

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/suggest"
)

// Cursor is a position at one node of a document.
type Cursor struct {
	doc  *document
	node *yaml.Node
	at   *yaml.Node // place of faults if it is not node, for a missing key
	path string
}

// Pos returns the place in the file.
func (c Cursor) Pos() Pos {
	n := c.node
	if c.at != nil {
		n = c.at
	}
	return Pos{File: c.doc.file, Line: n.Line, Column: n.Column, Path: c.path}
}

// Fault records an error at this place. Credentials in the message are redacted.
func (c Cursor) Fault(format string, args ...any) { c.report(false, format, args) }

// Warn records a warning at this place.
func (c Cursor) Warn(format string, args ...any) { c.report(true, format, args) }

func (c Cursor) report(warning bool, format string, args []any) {
	message := fmt.Sprintf(format, args...)
	name := c.path[strings.LastIndexByte(c.path, '.')+1:]
	if value := c.resolved().Value; c.IsScalar() && len(value) >= 4 && secret.IsSensitive(name) {
		message = strings.NewReplacer(value, secret.Hidden, strings.Trim(strconv.Quote(value), `"`), secret.Hidden).Replace(message)
	}
	c.doc.faults = append(c.doc.faults, NewFault(c.Pos(), warning, message))
}

// Dir returns the base directory of relative paths.
func (c Cursor) Dir() string { return c.doc.dir }

// IsMapping, IsSequence and IsScalar report the kind of node.
func (c Cursor) IsMapping() bool  { return c.resolved().Kind == yaml.MappingNode }
func (c Cursor) IsSequence() bool { return c.resolved().Kind == yaml.SequenceNode }
func (c Cursor) IsScalar() bool   { return c.resolved().Kind == yaml.ScalarNode }

func (c Cursor) resolved() *yaml.Node {
	n := c.node
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// Scalar returns the text of a scalar; another kind of node is a fault.
func (c Cursor) Scalar() (string, bool) {
	n := c.resolved()
	if n.Kind != yaml.ScalarNode {
		c.Fault("expected a single value, found %s", shape(n))
		return "", false
	}
	if n.Tag == "!!null" {
		return "", true
	}
	return n.Value, true
}

// IsNull reports whether the node is empty or null.
func (c Cursor) IsNull() bool { return c.resolved().Tag == "!!null" }

// Tag returns the node's YAML tag, such as !!str, !!int, !!float, !!bool.
func (c Cursor) Tag() string { return c.resolved().ShortTag() }

// Field returns the cursor at a key of a mapping. If the key is absent, its faults
// have the place of the mapping and the path of the key.
func (c Cursor) Field(name string) Cursor {
	child := Cursor{doc: c.doc, node: c.node, at: c.at, path: join(c.path, name)}
	if n := c.value(name); n != nil {
		child.node, child.at = n, nil
	}
	return child
}

// Has reports whether a mapping has the key.
func (c Cursor) Has(name string) bool { return c.value(name) != nil }

// value returns the node of a mapping's last key called name; nil: none.
func (c Cursor) value(name string) *yaml.Node {
	n := c.resolved()
	if n.Kind != yaml.MappingNode {
		return nil
	}
	var value *yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			value = n.Content[i+1]
		}
	}
	return value
}

// Keys returns the keys of a mapping in order; a duplicate key is a fault.
func (c Cursor) Keys() []Key {
	n := c.resolved()
	if n.Kind != yaml.MappingNode {
		if n.Tag != "!!null" {
			c.Fault("expected keys and values, found %s", shape(n))
		}
		return nil
	}
	keys := make([]Key, 0, len(n.Content)/2)
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i].Value
		k := Key{
			Name:  name,
			At:    Cursor{doc: c.doc, node: n.Content[i], path: join(c.path, name)},
			Value: Cursor{doc: c.doc, node: n.Content[i+1], path: join(c.path, name)},
		}
		if line, duplicate := seen[name]; duplicate {
			k.At.Fault("duplicate key, first in line %d", line)
			continue
		}
		seen[name] = n.Content[i].Line
		keys = append(keys, k)
	}
	return keys
}

// Key is one entry of a mapping.
type Key struct {
	Name      string
	At, Value Cursor
}

// Items returns the elements of a sequence; a scalar is a sequence of one.
func (c Cursor) Items() []Cursor {
	n := c.resolved()
	switch {
	case n.Kind == yaml.SequenceNode:
		items := make([]Cursor, len(n.Content))
		for i, e := range n.Content {
			items[i] = Cursor{doc: c.doc, node: e, path: fmt.Sprintf("%s[%d]", c.path, i)}
		}
		return items
	case n.Tag == "!!null":
		return nil
	case n.Kind == yaml.ScalarNode:
		return []Cursor{c}
	}
	c.Fault("expected a list, found %s", shape(n))
	return nil
}

// Unknown records the fault of an unknown key, with a suggestion.
func (c Cursor) Unknown(name string, known []string) {
	if s := suggest.Closest(name, known); s != "" {
		c.Fault("unknown key: did you mean %q?", s)
		return
	}
	c.Fault("unknown key; known keys: %s", strings.Join(known, ", "))
}

var durationType = reflect.TypeFor[time.Duration]()

// Decode decodes the node into *into. Struct fields are matched by their yaml tag.
func (c Cursor) Decode(into any) { c.decode(reflect.ValueOf(into).Elem()) }

func (c Cursor) decode(v reflect.Value) {
	if u, ok := v.Addr().Interface().(Unmarshaler); ok {
		u.UnmarshalYAMLDoc(c)
		return
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		c.decodeText(u)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if c.IsNull() {
			return
		}
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		c.decode(v.Elem())
	case reflect.Struct:
		c.decodeStruct(v)
	case reflect.Map:
		m := reflect.MakeMap(v.Type())
		for _, k := range c.Keys() {
			e := reflect.New(v.Type().Elem()).Elem()
			if old := v.MapIndex(reflect.ValueOf(k.Name).Convert(v.Type().Key())); v.Len() > 0 && old.IsValid() {
				e.Set(old)
			}
			k.Value.decode(e)
			m.SetMapIndex(reflect.ValueOf(k.Name).Convert(v.Type().Key()), e)
		}
		v.Set(m)
	case reflect.Slice:
		items := c.Items()
		s := reflect.MakeSlice(v.Type(), len(items), len(items))
		for i, item := range items {
			item.decode(s.Index(i))
		}
		v.Set(s)
	default:
		c.decodeScalar(v)
	}
}

func (c Cursor) decodeText(u encoding.TextUnmarshaler) {
	text, ok := c.Scalar()
	if !ok {
		return
	}
	if err := u.UnmarshalText([]byte(text)); err != nil {
		c.Fault("%v", err)
		return
	}
	if r, ok := u.(interface{ Resolve(dir string) error }); ok {
		if err := r.Resolve(c.doc.dir); err != nil {
			c.Fault("%v", err)
		}
	}
}

func (c Cursor) decodeStruct(v reflect.Value) {
	t := v.Type()
	index := make(map[string]int, t.NumField())
	var known []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name == "-" || name == "" || !t.Field(i).IsExported() {
			continue
		}
		index[name] = i
		known = append(known, name)
	}
	for _, k := range c.Keys() {
		i, ok := index[k.Name]
		if !ok {
			k.At.Unknown(k.Name, known)
			continue
		}
		k.Value.decode(v.Field(i))
	}
	if checker, ok := v.Addr().Interface().(Checker); ok {
		checker.CheckYAML(c)
	}
}

func (c Cursor) decodeScalar(v reflect.Value) {
	text, ok := c.Scalar()
	if !ok {
		return
	}
	var err error
	switch {
	case v.Type() == durationType:
		var d time.Duration
		if d, err = time.ParseDuration(text); err != nil {
			c.Fault("%q is not a duration: write it as 500ms, 30s, 5m or 1h", text)
			return
		}
		v.SetInt(int64(d))
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		var b bool
		if b, err = strconv.ParseBool(text); err != nil {
			c.Fault("%q is not true or false", text)
			return
		}
		v.SetBool(b)
	case v.CanInt():
		var n int64
		if n, err = strconv.ParseInt(text, 10, v.Type().Bits()); err != nil {
			c.Fault("%q is not a whole number", text)
			return
		}
		v.SetInt(n)
	case v.CanFloat():
		var f float64
		if f, err = strconv.ParseFloat(text, 64); err != nil {
			c.Fault("%q is not a number", text)
			return
		}
		v.SetFloat(f)
	default:
		panic(fmt.Sprintf("yamldoc: cannot decode into %s", v.Type()))
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func shape(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	}
	return fmt.Sprintf("%q", n.Value)
}
