package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/channel/registry"
	"github.com/algotrade/notifier/internal/duration"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Value is one effective setting.
type Value struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"` // default, the file with its line, environment NAME, flag
}

// Values returns all settings with their origins. A secret is shown as its reference
// or "[redacted]".
func (l *Loaded) Values() []Value {
	w := &walker{origins: l.origins}
	w.walk("", reflect.ValueOf(l.Config))
	return w.values
}

type walker struct {
	origins map[string]yamldoc.Pos
	values  []Value
}

func (w *walker) walk(path string, v reflect.Value) {
	switch value := v.Interface().(type) {
	case registry.Set:
		w.channels(path, value)
		return
	case time.Duration:
		w.leaf(path, duration.Text(value))
		return
	case encoding.TextMarshaler:
		text, err := value.MarshalText()
		if err != nil {
			text = []byte(err.Error())
		}
		w.leaf(path, string(text))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			switch name, option, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ","); {
			case option == "inline":
				w.walk(path, v.Field(i))
			case name != "" && name != "-":
				w.walk(join(path, name), v.Field(i))
			}
		}
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, k := range keys {
			w.walk(join(path, k.String()), v.MapIndex(k))
		}
	case reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = fmt.Sprint(v.Index(i).Interface())
		}
		w.leaf(path, "["+strings.Join(items, ", ")+"]")
	default:
		w.leaf(path, fmt.Sprint(v.Interface()))
	}
}

func (w *walker) channels(path string, set registry.Set) {
	for _, name := range set.Names() {
		c := set.Get(name)
		if c.Kind == "" { // has a fault
			continue
		}
		at := join(path, name)
		before := len(w.values)
		w.walk(join(at, c.Kind), reflect.ValueOf(c.Settings()))
		if len(w.values) == before {
			w.leaf(join(at, c.Kind), "{}")
		}
		w.walk(at, reflect.ValueOf(c.Dispatch))
	}
}

func (w *walker) leaf(path, text string) {
	if text == "" {
		text = `""`
	}
	w.values = append(w.values, Value{Key: path, Value: text, Origin: w.origin(path)})
}

// origin returns the origin of a setting.
func (w *walker) origin(path string) string {
	for {
		if o, ok := w.origins[path]; ok {
			if o.Line == 0 {
				return o.File
			}
			return fmt.Sprintf("%s:%d", o.File, o.Line)
		}
		// A channel inherits retry and breaker.
		if parts := strings.Split(path, "."); len(parts) == 4 && parts[0] == "channels" && (parts[2] == "retry" || parts[2] == "breaker") {
			path = strings.Join(parts[2:], ".")
			continue
		}
		return "default"
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
