package eventschema

import (
	"github.com/algotrade/notifier/internal/event"
)

// object checks the members of an object. Of members with the same name the last counts.
func (e *evaluation) object(o *objectRules, v event.Value) *failure {
	e.spend(v.Len())
	seen := newSeen(len(o.members))
	var others map[string]bool // seen names that no keyword names
	count := 0
	for i := v.Len() - 1; i >= 0; i-- {
		m := v.At(i)
		p := o.members[m.Name()]
		if p != nil {
			if seen.has(p.at) {
				continue
			}
			seen.add(p.at)
		} else if o.readsAll() {
			if others[m.Name()] {
				continue
			}
			if others == nil {
				others = make(map[string]bool)
			}
			others[m.Name()] = true
		}
		count++
		if f := e.member(o, p, m); f != nil {
			return f
		}
	}
	for _, name := range o.required {
		if !seen.has(o.members[name].at) {
			return e.below("."+name, e.fail("required", "it is missing"))
		}
	}
	switch {
	case o.least >= 0 && count < o.least:
		return e.fail("minProperties", "too few members")
	case o.most >= 0 && count > o.most:
		return e.fail("maxProperties", "too many members")
	}
	return e.dependents(o, v)
}

// member checks one member; p is nil if it is not named.
func (e *evaluation) member(o *objectRules, p *member, m event.Value) *failure {
	named := p != nil && p.schema != nil
	if named && !p.schema.trivial {
		if f := e.node(p.schema, m); f != nil {
			return e.below("."+m.Name(), f)
		}
	}
	part := func() string { // the names of a document are not shown, those of the schema are
		if p != nil {
			return "." + m.Name()
		}
		return ".*"
	}
	for _, pattern := range o.patterns {
		e.spend(cost(m.Name()))
		if pattern.name.MatchString(m.Name()) {
			named = true
			if f := e.node(pattern.schema, m); f != nil {
				return e.below(part(), f)
			}
		}
	}
	if !named && o.additional != nil {
		if f := e.node(o.additional, m); f != nil {
			if o.additional.deny && !e.quiet {
				f.keyword, f.detail = "additionalProperties", "a member that the schema does not name"
			}
			return e.below(part(), f)
		}
	}
	if o.names != nil && !e.accepts(o.names, event.StringValue(m.Name())) {
		return e.below(part(), e.fail("propertyNames", ""))
	}
	return nil
}

// dependents checks what members require of others.
func (e *evaluation) dependents(o *objectRules, v event.Value) *failure {
	has := func(name string) bool {
		e.spend(v.Len() >> 2)
		return v.Get(name).Kind() != event.Missing
	}
	for name, required := range o.dependents {
		if !has(name) {
			continue
		}
		for _, other := range required {
			if !has(other) {
				return e.below("."+other, e.fail("dependentRequired", "it is missing"))
			}
		}
	}
	for name, schema := range o.consequences {
		if has(name) {
			if f := e.node(schema, v); f != nil {
				return f
			}
		}
	}
	return nil
}

// seen is a set of small numbers.
type seen struct {
	few  uint64
	many []bool // of numbers from 64
}

func newSeen(size int) seen {
	if size <= 64 {
		return seen{}
	}
	return seen{many: make([]bool, size-64)}
}

func (s *seen) has(i int) bool {
	if i < 64 {
		return s.few&(1<<i) != 0
	}
	return s.many[i-64]
}

func (s *seen) add(i int) {
	if i < 64 {
		s.few |= 1 << i
	} else {
		s.many[i-64] = true
	}
}
