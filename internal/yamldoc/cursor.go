package yamldoc

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

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

	shared bool // it is below an anchor or an alias
}

// isShared reports whether what is written here may be used elsewhere, too.
func (c Cursor) isShared() bool {
	return c.shared || c.node.Kind == yaml.AliasNode || c.node.Anchor != ""
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

// FaultOf records an error of a kind.
func (c Cursor) FaultOf(kind Kind, format string, args ...any) {
	c.report(false, format, args)
	last := len(c.doc.faults) - 1
	c.doc.faults[last] = c.doc.faults[last].Of(kind)
}

// faultOnce is Fault for what is read again. Its node has no other such fault.
func (c Cursor) faultOnce(kind Kind, format string, args ...any) {
	if !c.doc.reported[c.node] {
		c.doc.reported[c.node] = true
		c.FaultOf(kind, format, args...)
	}
}

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
func (c Cursor) IsMapping() bool {
	return c.resolved().Kind == yaml.MappingNode && !isHole(c.resolved())
}
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
	switch {
	case isHole(n):
		c.FaultOf(Syntax, "put a text with {{ in quotes: \"{{ … }}\"")
		return "", false
	case n.Kind != yaml.ScalarNode:
		c.Fault("expected a single value, found %s", shape(n))
		return "", false
	case strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!"):
		c.FaultOf(Syntax, "YAML reads a text that begins with ! as a tag: put it in quotes")
		return "", false
	}
	if n.Tag == "!!null" {
		return "", true
	}
	return n.Value, true
}

// isHole reports whether a node is {{ … }} without quotes: a mapping with a mapping
// as its key.
func isHole(n *yaml.Node) bool {
	return n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle != 0 && len(n.Content) > 0 && n.Content[0].Kind == yaml.MappingNode
}

// IsNull reports whether the node is empty or null.
func (c Cursor) IsNull() bool { return c.resolved().Tag == "!!null" }

// HasAnchor reports whether the node, or one in it, has an anchor (&name), which an alias
// may refer to.
func (c Cursor) HasAnchor() bool { return hasAnchor(c.node) }

func hasAnchor(n *yaml.Node) bool { return n.Anchor != "" || slices.ContainsFunc(n.Content, hasAnchor) }

// Tag returns the node's YAML tag, such as !!str, !!int, !!float, !!bool.
func (c Cursor) Tag() string { return c.resolved().ShortTag() }

// Field returns the cursor at a key of a mapping. If the key is absent, it is null, and its
// faults have the place of the mapping and the path of the key.
func (c Cursor) Field(name string) Cursor {
	place := c.node
	if c.at != nil {
		place = c.at
	}
	child := Cursor{doc: c.doc, node: &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}, at: place, path: join(c.path, name), shared: c.isShared()}
	if n := c.value(name); n != nil {
		child.node, child.at = n, nil
	}
	return child
}

// Has reports whether a mapping has the key.
func (c Cursor) Has(name string) bool { return c.value(name) != nil }

// value returns the node of a mapping's first key called name, as Keys does; nil: none.
func (c Cursor) value(name string) *yaml.Node {
	n := c.resolved()
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

// Keys returns the keys of a mapping in order. A node that is none, a duplicate key and a
// merge key are one fault each, however often the keys are read, and left out.
func (c Cursor) Keys() []Key {
	n := c.resolved()
	if n.Kind != yaml.MappingNode {
		if n.Tag != "!!null" {
			c.faultOnce(InvalidValue, "expected keys and values, found %s", shape(n))
		}
		return nil
	}
	keys := make([]Key, 0, len(n.Content)/2)
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i].Value
		k := Key{
			Name:  name,
			At:    Cursor{doc: c.doc, node: n.Content[i], path: join(c.path, name), shared: c.isShared()},
			Value: Cursor{doc: c.doc, node: n.Content[i+1], path: join(c.path, name), shared: c.isShared()},
		}
		if n.Content[i].Tag == "!!merge" {
			k.At.faultOnce(Syntax, "merge keys (<<) are not supported: write the keys here, or use an alias (*name) as a whole value")
			continue
		}
		if line, duplicate := seen[name]; duplicate {
			k.At.faultOnce(DuplicateKey, "duplicate key, first in line %d", line)
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
			items[i] = Cursor{doc: c.doc, node: e, path: fmt.Sprintf("%s[%d]", c.path, i), shared: c.isShared()}
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
		c.FaultOf(UnknownKey, "unknown key: did you mean %q?", s)
		return
	}
	c.FaultOf(UnknownKey, "unknown key; known keys: %s", strings.Join(known, ", "))
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
