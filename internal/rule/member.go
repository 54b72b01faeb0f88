package rule

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/suggest"
)

// What an expression reads: event, meta, ce, vars, and a list's elements.

var roots = []string{"event", "meta", "ce", "vars"}

// member compiles event.a.b, meta.topic, vars.x, #.y and indexes.
func (c *compiler) member(n ast.Node) value {
	names, base, rest := c.unfold(n)
	switch base := base.(type) {
	case *ast.IdentifierNode:
		return c.rooted(base, names, rest)
	case *ast.PointerNode:
		if base.Name != "" {
			return c.fault(base, "#%s is not part of the language", base.Name)
		}
		at := c.depth - 1
		return c.indexes(follow(func(s *scope) event.Value { return s.elements[at] }, names), rest)
	default:
		return c.indexes(follow(c.value(base), names), rest)
	}
}

// unfold splits a.b[c].d into its base, the constant names that follow it
// directly, and what comes after those.
func (c *compiler) unfold(n ast.Node) (names []string, base ast.Node, rest []ast.Node) {
	var properties []ast.Node
	for {
		switch m := n.(type) {
		case *ast.ChainNode:
			n = m.Node
			continue
		case *ast.MemberNode:
			properties = append(properties, m.Property)
			n = m.Node
			continue
		}
		break
	}
	slices.Reverse(properties)
	for i, p := range properties {
		name, ok := p.(*ast.StringNode)
		if !ok {
			return names, n, properties[i:]
		}
		names = append(names, name.Value)
	}
	return names, n, nil
}

// indexes compiles what follows the constant names: computed names, indexes.
func (c *compiler) indexes(of value, properties []ast.Node) value {
	for _, p := range properties {
		before, at := of, c.value(p)
		of = func(s *scope) event.Value { return s.index(before(s), at(s)) }
	}
	return of
}

func follow(of value, names []string) value {
	switch len(names) {
	case 0:
		return of
	case 1:
		name := names[0]
		return func(s *scope) event.Value {
			v := of(s)
			if v.Len() > smallObject {
				s.lookUp(v.Len(), name)
			}
			return v.Get(name)
		}
	}
	return func(s *scope) event.Value {
		v := of(s)
		for _, name := range names {
			if v.Len() > smallObject {
				s.lookUp(v.Len(), name)
			}
			v = v.Get(name)
		}
		return v
	}
}

func (c *compiler) rooted(root *ast.IdentifierNode, names []string, rest []ast.Node) value {
	var of value
	switch root.Value {
	case "event":
		c.paths = append(c.paths, access{path: names, at: root.Location().From})
		of = follow(func(s *scope) event.Value { return s.ev.Doc }, names)
	case "ce":
		of = follow(func(s *scope) event.Value { return s.ev.CE }, names)
	case "vars":
		v := c.vars.Lookup(names...)
		if v.Kind() == event.Missing {
			return c.unknownVar(root, names)
		}
		of = constant(v)
	case "meta":
		of = c.meta(root, names)
	default:
		if s := suggest.Closest(root.Value, roots); s != "" {
			return c.fault(root, "%s is not known: did you mean %s?", root.Value, s)
		}
		return c.fault(root, "%s is not known: the fields of an event are written event.%s", root.Value, root.Value)
	}
	return c.indexes(of, rest)
}

func (c *compiler) unknownVar(root ast.Node, names []string) value {
	var known []string
	for i := range c.vars.Len() {
		known = append(known, c.vars.At(i).Name())
	}
	name := strings.Join(names, ".")
	if s := suggest.Closest(name, known); s != "" {
		return c.fault(root, "vars.%s is not defined: did you mean vars.%s?", name, s)
	}
	return c.fault(root, "vars.%s is not defined under vars", name)
}

var metaNames = []string{"topic", "partition", "offset", "key", "time", "id", "type", "schema_id", "headers"}

func (c *compiler) meta(root ast.Node, names []string) value {
	if len(names) == 0 || !slices.Contains(metaNames, names[0]) {
		name := strings.Join(names, ".")
		if s := suggest.Closest(name, metaNames); s != "" {
			return c.fault(root, "meta.%s is not known: did you mean meta.%s?", name, s)
		}
		return c.fault(root, "meta has %s", strings.Join(metaNames, ", "))
	}
	var of value
	switch names[0] {
	case "topic":
		of = func(s *scope) event.Value { return event.StringValue(s.ev.Record.Topic) }
	case "partition":
		of = func(s *scope) event.Value { return event.NumberValue(float64(s.ev.Record.Partition)) }
	case "offset":
		of = func(s *scope) event.Value { return event.NumberValue(float64(s.ev.Record.Offset)) }
	case "key":
		of = func(s *scope) event.Value {
			s.made(len(s.ev.Record.Key))
			return text(s.ev.Record.Key)
		}
	case "time":
		of = func(s *scope) event.Value {
			return event.StringValue(s.ev.Time.UTC().Format(time.RFC3339Nano))
		}
	case "id":
		of = func(s *scope) event.Value { return orMissing(s.ev.ID) }
	case "type":
		of = func(s *scope) event.Value { return orMissing(s.ev.Type) }
	case "schema_id":
		of = func(s *scope) event.Value {
			if s.ev.SchemaID == 0 {
				return event.Value{}
			}
			return event.NumberValue(float64(s.ev.SchemaID))
		}
	case "headers":
		of = headers
	}
	return follow(of, names[1:])
}

func headers(s *scope) event.Value {
	k := s.memory()
	if k.headers.Kind() == event.Missing {
		k.headers = headersOf(s)
	}
	return k.headers
}

func headersOf(s *scope) event.Value {
	members := make([]event.Value, len(s.ev.Record.Headers))
	for i, h := range s.ev.Record.Headers {
		members[i] = event.Member(h.Name, text(h.Value))
	}
	return event.ObjectValue(members)
}

// text is bytes from outside the document as a string; nil is missing.
func text(b []byte) event.Value {
	switch {
	case b == nil:
		return event.Value{}
	case utf8.Valid(b):
		return event.StringValue(string(b))
	}
	return event.StringValue(strings.ToValidUTF8(string(b), "\uFFFD"))
}

func orMissing(s string) event.Value {
	if s == "" {
		return event.Value{}
	}
	return event.StringValue(s)
}
