package config

import (
	"net/url"
	"reflect"
	"regexp"
	"strings"

	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Redactor returns a Redactor of the configuration's secrets.
func (l *Loaded) Redactor() *secret.Redactor {
	values := []any{l.Kafka, l.SchemaRegistry, l.HTTP, l.Tracing}
	for _, name := range l.Channels.Names() {
		if c := l.Channels.Get(name); c.Kind != "" {
			values = append(values, c.Settings())
		}
	}
	return secret.NewRedactor(values...)
}

// eachSecret calls do for each secret, with the path of its key.
func (l *Loaded) eachSecret(do func(path string, s secret.String)) {
	l.eachText(func(path string, value any) {
		if s, ok := value.(secret.String); ok {
			do(path, s)
		}
	})
}

// eachText calls do for each secret.String and each other string, with the path of its key.
func (l *Loaded) eachText(do func(path string, value any)) {
	walkTexts("kafka", reflect.ValueOf(l.Kafka), do)
	walkTexts("schema_registry", reflect.ValueOf(l.SchemaRegistry), do)
	walkTexts("http", reflect.ValueOf(l.HTTP), do)
	walkTexts("rules", reflect.ValueOf(l.Config.Rules), do)
	walkTexts("lag", reflect.ValueOf(l.Lag), do)
	walkTexts("tracing", reflect.ValueOf(l.Tracing), do)
	for _, name := range l.Channels.Names() {
		if c := l.Channels.Get(name); c.Kind != "" {
			walkTexts("channels."+name+"."+c.Kind, reflect.ValueOf(c.Settings()), do)
		}
	}
}

// checkTexts reports references that are not resolved, and warns of secrets that are
// written into the file.
func (l *Loaded) checkTexts() yamldoc.Faults {
	var faults yamldoc.Faults
	l.eachText(func(path string, value any) {
		switch v := value.(type) {
		case secret.String:
			if v.IsLiteral() && (isKey(path) || hasPassword(v.Reveal())) {
				faults = append(faults, yamldoc.NewFault(l.place(path), true, "is a secret in the file: write env:NAME or file:PATH instead").Of(yamldoc.Insecure))
			}
		case string:
			if unresolved.MatchString(v) {
				faults = append(faults, l.fault(path, "contains a reference, which is only resolved in secrets: write the value itself"))
			}
		}
	})
	return faults
}

// hasPassword reports whether a text is a URL with a password, such as a proxy's.
func hasPassword(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.User == nil {
		return false
	}
	_, has := u.User.Password()
	return has
}

// unresolved matches references and the variables of shells and compose files.
var unresolved = regexp.MustCompile(`^(?:env|file):|\$[{(][A-Za-z_][A-Za-z0-9_]*[})]`)

// walkTexts calls do for each secret.String and each other string in a value.
func walkTexts(path string, v reflect.Value, do func(path string, value any)) {
	switch v.Kind() {
	case reflect.String:
		do(path, v.String())
	case reflect.Struct:
		if s, ok := v.Interface().(secret.String); ok {
			do(path, s)
			return
		}
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
			if name != "" && name != "-" {
				walkTexts(path+"."+name, v.Field(i), do)
			}
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			walkTexts(path+"."+k.String(), v.MapIndex(k), do)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walkTexts(path, v.Index(i), do)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			walkTexts(path, v.Elem(), do)
		}
	}
}
