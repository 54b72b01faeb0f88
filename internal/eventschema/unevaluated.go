package eventschema

import (
	"slices"

	"github.com/algotrade/notifier/internal/event"
)

// unevaluated checks the members or elements that no other keyword of a node has
// evaluated. The value is valid for the others.
func (e *evaluation) unevaluated(n *node, v event.Value) *failure {
	if o := n.object; o != nil && o.unevaluated != nil && v.Kind() == event.Object {
		for _, m := range e.sorted(v) {
			if e.evaluatesMember(n, v, m.Name(), true) {
				continue
			}
			if f := e.node(o.unevaluated, m); f != nil {
				if o.unevaluated.deny && !e.quiet {
					f.keyword, f.detail = "unevaluatedProperties", "a member that the schema does not name"
				}
				return e.below(".*", f)
			}
		}
	}
	if a := n.array; a != nil && a.unevaluated != nil && v.Kind() == event.Array {
		for i := range v.Len() {
			if e.evaluatesElement(n, v, i, true) {
				continue
			}
			if f := e.node(a.unevaluated, v.At(i)); f != nil {
				if a.unevaluated.deny && !e.quiet {
					f.keyword, f.detail = "unevaluatedItems", "an element that the schema does not name"
				}
				return e.below("[]", f)
			}
		}
	}
	return nil
}

// evaluatesMember reports whether a keyword of a node that accepts an object has
// evaluated a member. outermost: the node is the one whose unevaluatedProperties asks.
func (e *evaluation) evaluatesMember(n *node, v event.Value, name string, outermost bool) bool {
	e.spend(1)
	if o := n.object; o != nil {
		if o.additional != nil || !outermost && o.unevaluated != nil {
			return true
		}
		if p := o.members[name]; p != nil && p.schema != nil {
			return true
		}
		for _, pattern := range o.patterns {
			e.spend(cost(name))
			if pattern.name.MatchString(name) {
				return true
			}
		}
	}
	return e.evaluatesInPlace(n, v, func(in *node) bool { return e.evaluatesMember(in, v, name, false) })
}

// evaluatesElement is evaluatesMember for the elements of an array.
func (e *evaluation) evaluatesElement(n *node, v event.Value, i int, outermost bool) bool {
	e.spend(1)
	if a := n.array; a != nil {
		if i < len(a.prefix) || a.items != nil || !outermost && a.unevaluated != nil || a.contains != nil && e.accepts(a.contains, v.At(i)) {
			return true
		}
	}
	return e.evaluatesInPlace(n, v, func(in *node) bool { return e.evaluatesElement(in, v, i, false) })
}

// evaluatesInPlace reports whether one of the subschemas for the same value, which
// accepts it, does.
func (e *evaluation) evaluatesInPlace(n *node, v event.Value, evaluates func(*node) bool) bool {
	if slices.ContainsFunc(n.allOf, evaluates) {
		return true
	}
	ifAccepts := func(in *node) bool { return evaluates(in) && e.accepts(in, v) }
	if slices.ContainsFunc(n.anyOf, ifAccepts) || slices.ContainsFunc(n.oneOf, ifAccepts) {
		return true
	}
	if c := n.condition; c != nil {
		accepted := e.accepts(c.when, v)
		if accepted && (evaluates(c.when) || c.then != nil && evaluates(c.then)) || !accepted && c.otherwise != nil && evaluates(c.otherwise) {
			return true
		}
	}
	if n.object == nil || v.Kind() != event.Object {
		return false
	}
	for name, in := range n.object.consequences {
		if v.Get(name).Kind() != event.Missing && evaluates(in) {
			return true
		}
	}
	return false
}
