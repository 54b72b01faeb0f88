// Package eventschema checks events against JSON Schemas (draft 2020-12). A library reads
// and resolves the schemas; they are evaluated by this package, on decoded events, with
// a limit of steps. Start reading at Load and Schema.Check.
package eventschema

import (
	"slices"

	"github.com/algotrade/notifier/internal/event"
)

// Schema is a compiled schema. It is safe for concurrent use.
type Schema struct {
	root *node
}

// MaxSteps limits the steps of a check: visits of a value by a subschema, members and
// elements that are looked at, and texts in units of 16 bytes. It takes less than a second.
const MaxSteps = 10_000_000

// overBudget is the panic value beyond MaxSteps.
type overBudget struct{}

// Check returns the first violation of a document, or nil. It never fails otherwise, and
// takes at most MaxSteps.
func (s *Schema) Check(doc event.Value) (found *event.Violation) {
	e := evaluation{limit: MaxSteps}
	defer func() {
		if v := recover(); v != nil {
			if _, ok := v.(overBudget); !ok {
				panic(v)
			}
			found = &event.Violation{Keyword: "steps", Detail: "the check takes more than 10,000,000 steps for this event"}
		}
	}()
	return e.node(s.root, doc).violation()
}

// Reads returns the top-level members that a check reads; all: any member.
func (s *Schema) Reads() (names []string, all bool) {
	r := reads{names: make(map[string]bool)}
	r.node(s.root)
	for name := range r.names {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, r.all
}

// reads collects what the subschemas of a document read of it.
type reads struct {
	names map[string]bool
	all   bool
}

func (r *reads) node(n *node) {
	if n == nil || n.isTrivial() {
		return
	}
	r.all = r.all || len(n.enum) > 0
	for _, in := range n.inPlace() {
		r.node(in)
	}
	o := n.object
	if o == nil {
		return
	}
	r.all = r.all || o.readsAll()
	for name, p := range o.members {
		if p.isRequired || p.schema != nil && !p.schema.isTrivial() {
			r.names[name] = true
		}
	}
}

// Members returns what a check requires of single top-level members, or ok is false if
// it requires more than that, such as one of several alternatives.
func (s *Schema) Members() (list []event.MemberCheck, ok bool) {
	nodes := []*node{s.root}
	for len(nodes) > 0 {
		n := nodes[0]
		nodes = nodes[1:]
		switch {
		case n.isTrivial():
			continue
		case n.deny, n.types != 0 && n.types&ofKind(event.Object) == 0, len(n.enum) > 0, len(n.inPlace()) > len(n.allOf):
			return nil, false
		}
		nodes = append(nodes, n.allOf...)
		if n.object == nil {
			continue
		}
		if n.object.readsAll() {
			return nil, false
		}
		for name, p := range n.object.members {
			if p.isRequired || p.schema != nil && !p.schema.isTrivial() {
				list = append(list, event.MemberCheck{Name: name, Accepts: p.accepts})
			}
		}
	}
	return list, true
}

// accepts reports whether a member may have a value; of an array or an object only its
// kind is known. False: it may not, or that is not known.
func (p *member) accepts(v event.Value) bool {
	switch {
	case v.Kind() == event.Missing:
		return !p.isRequired
	case p.schema == nil:
		return true
	case v.Kind() >= event.Array && !p.schema.isOnlyType():
		return false
	}
	e := evaluation{limit: MaxSteps, quiet: true}
	return e.node(p.schema, v) == nil
}
