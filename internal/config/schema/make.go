package schema

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/duration"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// maker makes schemas of types.
type maker struct{ comments *comments }

// of returns the schema of a type, with the defaults in a value of it, if there is one.
func (m *maker) of(t reflect.Type, defaults reflect.Value) *Schema {
	if describe, ok := types[nameOf(t)]; ok {
		return describe(m, defaults)
	}
	if decodesItself(t) {
		panic(fmt.Sprintf("schema: %s decodes itself: describe it in types.go", nameOf(t)))
	}
	s := m.plain(t, defaults)
	if amend, ok := amendments[nameOf(t)]; ok {
		amend(s)
	}
	return s
}

func nameOf(t reflect.Type) string {
	return t.PkgPath()[strings.LastIndexByte(t.PkgPath(), '/')+1:] + "." + t.Name()
}

func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[yamldoc.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// plain describes what yamldoc decodes by reflection.
func (m *maker) plain(t reflect.Type, defaults reflect.Value) *Schema {
	switch t.Kind() {
	case reflect.Pointer:
		s := m.of(t.Elem(), reflect.Value{})
		if kind, ok := s.Type.(string); ok {
			s.Type = orNull(kind)
		}
		return s
	case reflect.Struct:
		return m.object(t, defaults)
	case reflect.Map:
		return &Schema{Type: orNull("object"), Others: m.of(t.Elem(), reflect.Value{})}
	case reflect.Slice:
		return listOf(m.of(t.Elem(), reflect.Value{}))
	case reflect.String:
		return text()
	case reflect.Bool:
		return &Schema{Type: "boolean"}
	case reflect.Float64:
		return &Schema{Type: "number"}
	}
	if t == reflect.TypeFor[time.Duration]() {
		return durations()
	}
	return &Schema{Type: "integer"}
}

// object describes a struct.
func (m *maker) object(t reflect.Type, defaults reflect.Value) *Schema {
	s := &Schema{Type: orNull("object"), Properties: make(map[string]*Schema), Others: false}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "" || name == "-" || !f.IsExported() {
			continue
		}
		var value reflect.Value
		if defaults.IsValid() {
			value = defaults.Field(i)
		}
		key := m.of(f.Type, value)
		if key.Description == "" {
			key.Description = m.comments.of(t, f)
		}
		limit(key, yamldoc.LimitsOf(f))
		if value.IsValid() && key.Properties == nil {
			key.Default = shown(value)
		}
		s.Properties[name] = key
	}
	return s
}

// defaults adds the values of a struct as defaults.
func (m *maker) defaults(s *Schema, v reflect.Value) {
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		s.Properties[name].Default = shown(v.Field(i))
	}
}

// limit adds the limits of a field. Of durations and sizes, which are texts, only the
// description has them.
func limit(s *Schema, l yamldoc.Limits) {
	if l.Texts != nil {
		s.Not, s.Type = nil, nil
		s.Enum = words(l.Texts...)
		if l.Texts[0] == "" { // nothing is read as it, too
			s.Enum = append(s.Enum, nil)
		}
	}
	if l.Least == "" && l.Greatest == "" {
		return
	}
	if s.Type == "integer" || s.Type == "number" {
		s.Minimum, s.Maximum = json.Number(l.Least), json.Number(l.Greatest)
		return
	}
	if l.Greatest == "" {
		s.Description += fmt.Sprintf(" At least %s.", l.Least)
		return
	}
	s.Description += fmt.Sprintf(" From %s to %s%s.", l.Least, l.Greatest, l.Reason)
}

// shown returns a default as it is written in a file; nil: there is none.
func shown(v reflect.Value) any {
	if v.IsZero() && v.Kind() != reflect.Bool {
		return nil
	}
	switch value := v.Interface().(type) {
	case time.Duration:
		return duration.Text(value)
	case encoding.TextMarshaler:
		b, err := value.MarshalText()
		if err != nil {
			panic(err)
		}
		return string(b)
	case string, bool, int, float64, []string:
		return value
	}
	return nil
}

func orNull(kind string) []string { return []string{kind, "null"} }

// text is any single value: the decoder reads 5 and true as texts.
func text() *Schema { return &Schema{Not: &Schema{Type: []string{"object", "array"}}} }

// listOf is a list; the decoder reads a single value as a list of one.
func listOf(item *Schema) *Schema {
	list := &Schema{Type: orNull("array"), Items: item}
	one := single(item)
	if one == nil {
		return list
	}
	return &Schema{AnyOf: []*Schema{one, list}}
}

// single returns a schema, or the one of its alternatives, that is of single values; nil:
// none is.
func single(s *Schema) *Schema {
	kind, _ := s.Type.(string)
	switch {
	case s.Not != nil, s.Enum != nil, s.Pattern != "", kind == "integer":
		return s
	}
	for _, one := range s.AnyOf {
		if one = single(one); one != nil {
			return one
		}
	}
	return nil
}

func words(list ...string) []any {
	out := make([]any, len(list))
	for i, w := range list {
		out[i] = w
	}
	return out
}

func joined(list []string) string { return strings.Join(list, ", ") }
