package eventschema

import (
	"maps"
	"slices"

	"github.com/algotrade/notifier/internal/event"
)

const (
	examples     = 6      // documents that Examples returns
	deepest      = 8      // levels of an example
	mostExamples = 20_000 // values of an example
)

// Examples returns documents with every member that the schema names, whose values are
// of the types that it allows: in another document of another one, and texts that are
// a number, a time and neither. A member without a known type is null. The documents
// need not be valid as a whole.
func (s *Schema) Examples() []event.Value {
	docs := make([]event.Value, examples)
	for i := range docs {
		g := generator{number: i}
		docs[i] = g.object(together(s.root), 0)
	}
	return docs
}

// generator makes one example.
type generator struct{ number, values int }

// candidates are tried for a value, if they are valid.
var candidates = []event.Value{
	event.StringValue("1.5"), event.StringValue("2026-11-23T14:31:05Z"), event.StringValue("text"), event.StringValue("2026-11-23"), event.StringValue("1"),
	event.LiteralValue("1", 1), event.LiteralValue("0.5", 0.5), event.LiteralValue("100", 100), event.LiteralValue("0", 0), event.LiteralValue("-1", -1),
	event.BoolValue(true), event.BoolValue(false),
}

func (g *generator) value(n *node, depth int) event.Value {
	if g.values++; n == nil || depth > deepest || g.values > mostExamples {
		return event.NullValue()
	}
	parts := together(n)
	var kinds kinds
	var known []event.Value
	for _, p := range parts {
		kinds |= p.types
		known = append(append(known, p.enum...), p.examples...)
		if p.object != nil && len(p.object.members) > 0 {
			kinds |= ofKind(event.Object)
		}
		if p.array != nil {
			kinds |= ofKind(event.Array)
		}
	}
	var scalars []event.Value
	for _, v := range slices.Concat(known, candidates) {
		e := evaluation{limit: MaxSteps, quiet: true}
		isWanted := v.Kind() > event.Null && v.Kind() < event.Array && (kinds.has(v) || len(known) > 0 && kinds == 0)
		if isWanted && !slices.ContainsFunc(scalars, func(s event.Value) bool { return e.equal(s, v) }) && e.accepts(n, v) {
			scalars = append(scalars, v)
		}
	}
	switch {
	case len(scalars) > 0:
		return scalars[g.number%len(scalars)]
	case kinds&ofKind(event.Object) != 0:
		return g.object(parts, depth)
	case kinds&ofKind(event.Array) != 0:
		return g.array(parts, depth)
	}
	return event.NullValue()
}

func (g *generator) object(parts []*node, depth int) event.Value {
	schemas := make(map[string]*node)
	for _, p := range parts {
		if p.object == nil {
			continue
		}
		for name, m := range p.object.members {
			if schemas[name] == nil || schemas[name].trivial {
				schemas[name] = m.schema
			} else if m.schema != nil && !m.schema.trivial {
				schemas[name] = &node{anyOf: []*node{schemas[name], m.schema}}
			}
		}
	}
	var members []event.Value
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		members = append(members, event.Member(name, g.value(schemas[name], depth+1)))
	}
	return event.ObjectValue(members)
}

func (g *generator) array(parts []*node, depth int) event.Value {
	var elements []event.Value
	for _, p := range parts {
		if p.array == nil {
			continue
		}
		for _, n := range p.array.prefix {
			elements = append(elements, g.value(n, depth+1))
		}
		if p.array.items != nil {
			elements = append(elements, g.value(p.array.items, depth+1))
		}
	}
	return event.ArrayValue(elements)
}

// together returns a node and the subschemas for the same value, apart from those that
// it must not fit or that are a condition only.
func together(n *node) []*node {
	parts := []*node{n}
	for i := 0; i < len(parts); i++ {
		p := parts[i]
		more := slices.Concat(p.allOf, p.anyOf, p.oneOf)
		if c := p.condition; c != nil {
			more = append(more, c.then, c.otherwise)
		}
		if p.object != nil {
			more = append(more, slices.Collect(maps.Values(p.object.consequences))...)
		}
		for _, m := range more {
			if m != nil && !slices.Contains(parts, m) {
				parts = append(parts, m)
			}
		}
	}
	return parts
}

// Texts returns the texts that the schema allows at a path, if it lists them.
func (s *Schema) Texts(path ...string) []string {
	at := []*node{s.root}
	for _, name := range path {
		var next []*node
		for _, n := range at {
			for _, p := range together(n) {
				if p.object == nil {
					continue
				}
				if m := p.object.members[name]; m != nil && m.schema != nil && !m.schema.trivial {
					next = append(next, m.schema)
				}
			}
		}
		at = next
	}
	var texts []string
	for _, n := range at {
		listed := n.listed()
		if listed == nil {
			return nil
		}
		for _, v := range listed {
			if v.Kind() == event.String && !slices.Contains(texts, v.Text()) {
				texts = append(texts, v.Text())
			}
		}
	}
	return texts
}

// listed returns the values that a node allows, if it lists them; nil: it does not.
func (n *node) listed() []event.Value {
	if n.enum != nil {
		return n.enum
	}
	for _, p := range n.allOf {
		if listed := p.listed(); listed != nil {
			return listed
		}
	}
	var all []event.Value
	for _, alternatives := range [][]*node{n.anyOf, n.oneOf} {
		for _, p := range alternatives {
			listed := p.listed()
			if listed == nil {
				return nil
			}
			all = append(all, listed...)
		}
	}
	return all
}
