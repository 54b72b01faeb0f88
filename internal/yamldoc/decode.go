package yamldoc

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/duration"
)

var durationType = reflect.TypeFor[time.Duration]()

// Decode decodes the node into *into. Struct fields are matched by their yaml tag, and
// their values are within the Limits of their other tags.
func (c Cursor) Decode(into any) { c.decode(reflect.ValueOf(into).Elem()) }

// DecodeBeside decodes a mapping into the struct *into but for the given keys, which are
// decoded elsewhere.
func (c Cursor) DecodeBeside(into any, others []string) {
	c.decodeStruct(reflect.ValueOf(into).Elem(), others)
}

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
		c.decodeStruct(v, nil)
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
			c.doc.faults[len(c.doc.faults)-1].Unresolved = true
		}
	}
}

func (c Cursor) decodeStruct(v reflect.Value, others []string) {
	t := v.Type()
	index := make(map[string]int, t.NumField())
	known := slices.Clone(others)
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
		switch {
		case ok:
			k.Value.decodeField(v.Field(i), t.Field(i))
		case !slices.Contains(others, k.Name):
			k.At.Unknown(k.Name, known)
		}
	}
	if checker, ok := v.Addr().Interface().(Checker); ok {
		checker.CheckYAML(c)
	}
}

// decodeField decodes a field and checks its limits, unless it has a fault already.
func (c Cursor) decodeField(v reflect.Value, f reflect.StructField) {
	before := len(c.doc.faults)
	c.decode(v)
	if len(c.doc.faults) == before {
		LimitsOf(f).check(c, v)
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
		if d, err = duration.Parse(text); err != nil {
			c.Fault("%q is not a duration: write it as 500ms, 30s, 5m, 1h, 7d or 1w", text)
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
