package config

import (
	"reflect"
	"strings"

	"github.com/algotrade/notifier/internal/secret"
)

// Secrets returns the values of all secrets, so that they can be taken out of
// texts. User names are among them where they are long enough to be keys:
// shorter ones are words, and taking them out would garble what is left.
func (l *Loaded) Secrets() []string {
	var all []string
	add := func(path string, s secret.String) {
		const key = 12
		if v := s.Reveal(); v != "" && (!strings.HasSuffix(path, ".username") || len(v) >= key) {
			all = append(all, v)
		}
	}
	find("kafka", reflect.ValueOf(l.Kafka), add)
	for _, name := range l.Channels.Names() {
		if c := l.Channels.Get(name); c.Kind != "" {
			find("channels."+name, reflect.ValueOf(c.Settings()), add)
		}
	}
	return all
}

// find calls add for each secret in a value.
func find(path string, v reflect.Value, add func(path string, s secret.String)) {
	switch v.Kind() {
	case reflect.Struct:
		if s, ok := v.Interface().(secret.String); ok {
			add(path, s)
			return
		}
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
			if name != "" && name != "-" {
				find(path+"."+name, v.Field(i), add)
			}
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			find(path+"."+k.String(), v.MapIndex(k), add)
		}
	case reflect.Slice:
		for i := range v.Len() {
			find(path, v.Index(i), add)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			find(path, v.Elem(), add)
		}
	}
}
