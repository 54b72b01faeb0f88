package secret

import (
	"reflect"
	"strings"
)

// keyLength is the shortest user name that is treated as a secret, such as the id
// of an access key, in bytes. Shorter ones and e-mail addresses are not redacted.
const keyLength = 12

// stringsOf returns the secrets inside a value.
func stringsOf(v any) []*tracked {
	var found []*tracked
	walk(reflect.ValueOf(v), func(t *tracked) { found = append(found, t) })
	return found
}

func walk(v reflect.Value, add func(*tracked)) {
	switch v.Kind() {
	case reflect.Struct:
		if !v.CanInterface() {
			return
		}
		if s, ok := v.Interface().(String); ok {
			add(&tracked{secret: s})
			return
		}
		user := userOf(v)
		for i := range v.NumField() {
			s, ok := asString(v.Field(i))
			switch name := v.Type().Field(i).Name; {
			case !ok:
				walk(v.Field(i), add)
			case name == "Password":
				add(&tracked{secret: s, user: user})
			case name == "Username" && (len(s.Reveal()) < keyLength || strings.Contains(s.Reveal(), "@")):
			default:
				add(&tracked{secret: s})
			}
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			walk(v.MapIndex(k), add)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		for i := range v.Len() {
			walk(v.Index(i), add)
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			walk(v.Elem(), add)
		}
	}
}

// userOf returns the user name of a struct with a password.
func userOf(v reflect.Value) String {
	if f := v.FieldByName("Username"); f.IsValid() {
		s, _ := asString(f)
		return s
	}
	return String{}
}

func asString(v reflect.Value) (String, bool) {
	if !v.CanInterface() || v.Kind() != reflect.Struct {
		return String{}, false
	}
	s, ok := v.Interface().(String)
	return s, ok
}
