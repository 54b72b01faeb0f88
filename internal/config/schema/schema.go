// Package schema describes notifier.yaml, rules.yaml and the tests of rules as JSON
// Schemas (2020-12), for editors. They are made from the types that the decoder decodes
// into: keys and limits from their tags, descriptions from their comments, defaults from
// their values. What decodes itself is described in types.go. Only the tests of this
// package run it; they write configs/editor. Start reading at Notifier.
package schema

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/digest"
	"github.com/algotrade/notifier/internal/rulesfile"
	"github.com/algotrade/notifier/internal/ruletest"
)

// Schema is a JSON Schema, as far as it is used here.
type Schema struct {
	Draft       string             `json:"$schema,omitempty"`
	Title       string             `json:"title,omitempty"`
	Description string             `json:"description,omitempty"`
	Type        any                `json:"type,omitempty"` // a word or several
	Not         *Schema            `json:"not,omitempty"`
	Enum        []any              `json:"enum,omitempty"`
	Pattern     string             `json:"pattern,omitempty"`
	Remedy      string             `json:"patternErrorMessage,omitempty"` // of VS Code and yaml-language-server
	MinLength   int                `json:"minLength,omitempty"`
	MaxLength   int                `json:"maxLength,omitempty"`
	Minimum     json.Number        `json:"minimum,omitempty"`
	Maximum     json.Number        `json:"maximum,omitempty"`
	AnyOf       []*Schema          `json:"anyOf,omitempty"`
	OneOf       []*Schema          `json:"oneOf,omitempty"`
	Required    []string           `json:"required,omitempty"`
	Names       *Schema            `json:"propertyNames,omitempty"`
	Properties  map[string]*Schema `json:"properties,omitempty"`
	MinKeys     int                `json:"minProperties,omitempty"`
	MaxKeys     int                `json:"maxProperties,omitempty"`
	Others      any                `json:"additionalProperties,omitempty"` // false or a *Schema
	Items       *Schema            `json:"items,omitempty"`
	MinItems    int                `json:"minItems,omitempty"`
	MaxItems    int                `json:"maxItems,omitempty"`
	Unique      bool               `json:"uniqueItems,omitempty"`
	Default     any                `json:"default,omitempty"`
	Examples    []any              `json:"examples,omitempty"`
}

const draft = "https://json-schema.org/draft/2020-12/schema"

// Notifier returns the schema of notifier.yaml. root is the directory of the module, whose
// comments are read.
func Notifier(root string) *Schema {
	m := &maker{comments: newComments(root)}
	s := m.of(reflect.TypeFor[config.Config](), reflect.ValueOf(config.Defaults()))
	s.Required = []string{"channels"}
	return m.document(s, "notifier.yaml", "The notifier's configuration.")
}

// Rules returns the schema of rules.yaml.
func Rules(root string) *Schema {
	m := &maker{comments: newComments(root)}
	s := m.of(reflect.TypeFor[rulesfile.Document](), reflect.Value{})
	s.Required = []string{"version"}
	m.defaults(s.Properties["digest"], reflect.ValueOf(digest.Defaults()))
	return m.document(s, "rules.yaml", "The notifier's rules: which events raise alerts, and for whom.")
}

// Tests returns the schema of a file with tests beside rules.yaml.
func Tests(root string) *Schema {
	m := &maker{comments: newComments(root)}
	tests := m.of(reflect.TypeFor[[]ruletest.Test](), reflect.Value{})
	tests.Description = "Tests of the rules."
	channels := m.of(reflect.TypeFor[map[string]ruletest.Channel](), reflect.Value{})
	channels.Description = "Channels of all tests that do not send as the configuration says."
	s := &Schema{Type: orNull("object"), Properties: map[string]*Schema{"tests": tests, "channels": channels}, Others: false}
	return m.document(s, "rules.test.yaml", "Tests of the notifier's rules.")
}

func (m *maker) document(s *Schema, title, description string) *Schema {
	s.Draft, s.Title, s.Description = draft, title, description
	if len(m.comments.missing) > 0 {
		panic("schema: keys without a comment on their field: " + joined(m.comments.missing))
	}
	return s
}

// JSON returns the schema as a file.
func (s *Schema) JSON() []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(s); err != nil {
		panic(err)
	}
	return out.Bytes()
}
