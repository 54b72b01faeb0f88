package config

import (
	"reflect"
	"strings"

	"github.com/algotrade/notifier/internal/secret"
)

// Redactor returns a Redactor of the configuration's secrets.
func (l *Loaded) Redactor() *secret.Redactor {
	values := []any{l.Kafka, l.HTTP, l.Tracing}
	for _, name := range l.Channels.Names() {
		if c := l.Channels.Get(name); c.Kind != "" {
			values = append(values, c.Settings())
		}
	}
	return secret.NewRedactor(values...)
}

// eachSecret calls do for each secret, with the path of its key.
func (l *Loaded) eachSecret(do func(path string, s secret.String)) {
	walkSecrets("kafka", reflect.ValueOf(l.Kafka), do)
	walkSecrets("http", reflect.ValueOf(l.HTTP), do)
	for _, name := range l.Channels.Names() {
		if c := l.Channels.Get(name); c.Kind != "" {
			walkSecrets("channels."+name+"."+c.Kind, reflect.ValueOf(c.Settings()), do)
		}
	}
}

// walkSecrets calls do for each secret in a value.
func walkSecrets(path string, v reflect.Value, do func(path string, s secret.String)) {
	switch v.Kind() {
	case reflect.Struct:
		if s, ok := v.Interface().(secret.String); ok {
			do(path, s)
			return
		}
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
			if name != "" && name != "-" {
				walkSecrets(path+"."+name, v.Field(i), do)
			}
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			walkSecrets(path+"."+k.String(), v.MapIndex(k), do)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walkSecrets(path, v.Index(i), do)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			walkSecrets(path, v.Elem(), do)
		}
	}
}
