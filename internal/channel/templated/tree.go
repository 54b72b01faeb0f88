package templated

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Tree is a configured body. Its texts have holes over alert; a text that is one hole
// and nothing else keeps the hole's type.
type Tree struct {
	node   *node // nil: none
	faulty bool
}

// node is a mapping, a list or a scalar.
type node struct {
	keys  []string // of a mapping; nil: a list, if items is not nil
	items []*node
	json  json.RawMessage // a number, a boolean or null
	text  *expr.Template
}

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (t *Tree) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	ok := true
	t.node = decode(at, &ok)
	if t.faulty = !ok; t.faulty {
		t.node = nil
	}
}

func decode(at yamldoc.Cursor, ok *bool) *node {
	switch {
	case at.IsMapping():
		n := &node{keys: []string{}, items: []*node{}}
		for _, k := range at.Keys() {
			n.keys = append(n.keys, k.Name)
			n.items = append(n.items, decode(k.Value, ok))
		}
		return n
	case at.IsSequence():
		n := &node{items: []*node{}}
		for _, item := range at.Items() {
			n.items = append(n.items, decode(item, ok))
		}
		return n
	}
	text, scalar := at.Scalar()
	if !scalar {
		*ok = false
		return &node{}
	}
	switch tag := at.Tag(); {
	case tag == "!!null":
		return &node{json: json.RawMessage("null")}
	case tag == "!!bool":
		return &node{json: json.RawMessage(strings.ToLower(text))}
	case (tag == "!!int" || tag == "!!float") && valid(text):
		return &node{json: json.RawMessage(text)}
	}
	compiled, err := expr.CompileTemplate(text, root, members)
	if err != nil {
		at.Fault("%v", err)
		*ok = false
		return &node{}
	}
	return &node{text: compiled}
}

func (n *node) isScalar() bool { return n.items == nil }

func (n *node) isFlat() bool {
	return n.keys != nil && !slices.ContainsFunc(n.items, func(i *node) bool { return !i.isScalar() })
}

// body renders a tree for one message.
type body struct {
	alert  event.Value
	medium medium
	limit  int // of each text in characters; 0: none
}

// json writes a node as JSON.
func (r body) json(b *bytes.Buffer, n *node) error {
	if n.json != nil {
		b.Write(n.json)
		return nil
	}
	if n.isScalar() {
		value, whole, err := n.text.Value(r.alert)
		if err != nil {
			return err
		}
		if whole && value.Kind() != event.String {
			return r.value(b, value)
		}
		text, err := r.text(n)
		if err != nil {
			return err
		}
		return write(b, text)
	}
	open, end := byte('['), byte(']')
	if n.keys != nil {
		open, end = '{', '}'
	}
	b.WriteByte(open)
	for i, item := range n.items {
		if i > 0 {
			b.WriteByte(',')
		}
		if n.keys != nil {
			if err := write(b, n.keys[i]); err != nil {
				return err
			}
			b.WriteByte(':')
		}
		if err := r.json(b, item); err != nil {
			return err
		}
	}
	return b.WriteByte(end)
}

// value writes a value of an expression as JSON.
func (r body) value(b *bytes.Buffer, v event.Value) error {
	switch v.Kind() {
	case event.Bool:
		return write(b, v.Bool())
	case event.Number:
		if text := v.Text(); valid(text) {
			b.WriteString(text)
			return nil
		}
		b.WriteString("null") // no number of JSON, such as NaN
		return nil
	case event.String:
		return write(b, r.fit(alert.Text{{Text: v.Text(), Value: true}}))
	case event.Array, event.Object:
		open, end := byte('['), byte(']')
		if v.Kind() == event.Object {
			open, end = '{', '}'
		}
		b.WriteByte(open)
		for i := range v.Len() {
			if i > 0 {
				b.WriteByte(',')
			}
			if v.Kind() == event.Object {
				if err := write(b, v.At(i).Name()); err != nil {
					return err
				}
				b.WriteByte(':')
			}
			if err := r.value(b, v.At(i)); err != nil {
				return err
			}
		}
		return b.WriteByte(end)
	}
	b.WriteString("null")
	return nil
}

// text returns a scalar node as text.
func (r body) text(n *node) (string, error) {
	if n.json != nil {
		return string(n.json), nil
	}
	text, err := n.text.Text(r.alert)
	return r.fit(text), err
}

func (r body) fit(t alert.Text) string {
	if r.limit == 0 {
		return r.medium.write(t)
	}
	return r.medium.fit(t, r.limit)
}

// form returns a flat mapping as a form.
func (r body) form(n *node) (string, error) {
	form := make(url.Values, len(n.keys))
	for i, key := range n.keys {
		text, err := r.text(n.items[i])
		if err != nil {
			return "", err
		}
		form.Set(key, text)
	}
	return form.Encode(), nil
}

// write appends v as JSON with <, > and & unescaped.
func write(b *bytes.Buffer, v any) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // Encode's line break
	return nil
}
