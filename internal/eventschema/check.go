package eventschema

import (
	"slices"
	"strings"

	"github.com/algotrade/notifier/internal/event"
)

// evaluation is one check of a document.
type evaluation struct {
	steps, limit int
	quiet        bool // only whether there is a failure matters
}

// failure is the first violation that is found. A nil failure is none.
type failure struct {
	path    string // such as .positions[].qty
	keyword string
	detail  string
}

// failed is every failure while an evaluation is quiet.
var failed = &failure{}

// spend counts steps.
func (e *evaluation) spend(n int) {
	if e.steps += n; e.steps > e.limit {
		panic(overBudget{})
	}
}

func (e *evaluation) fail(keyword, detail string) *failure {
	if e.quiet {
		return failed
	}
	return &failure{keyword: keyword, detail: detail}
}

// below puts a part of a path before that of a failure.
func (e *evaluation) below(part string, f *failure) *failure {
	if f != nil && !e.quiet {
		f.path = part + f.path
	}
	return f
}

// accepts reports whether a value is valid.
func (e *evaluation) accepts(n *node, v event.Value) bool {
	before := e.quiet
	e.quiet = true
	f := e.node(n, v)
	e.quiet = before
	return f == nil
}

// node checks a value.
func (e *evaluation) node(n *node, v event.Value) *failure {
	e.spend(1)
	if n.trivial {
		return nil
	}
	if n.deny {
		return e.fail("false", "")
	}
	if n.types != 0 && !n.types.has(v) {
		return e.fail("type", e.mismatch(n.types, v))
	}
	if n.enum != nil && !e.isOneOf(n, v) {
		return e.fail("enum", "")
	}
	var f *failure
	switch v.Kind() {
	case event.Object:
		if n.object != nil {
			f = e.object(n.object, v)
		}
	case event.Array:
		if n.array != nil {
			f = e.array(n.array, v)
		}
	case event.String:
		if n.text != nil {
			f = e.text(n.text, v.Text())
		}
	case event.Number:
		if n.number != nil {
			f = e.number(n.number, v)
		}
	}
	if f == nil {
		f = e.inPlace(n, v)
	}
	if f == nil && v.Kind() >= event.Array {
		f = e.unevaluated(n, v)
	}
	return f
}

// inPlace checks a value against the subschemas that are for the same value.
func (e *evaluation) inPlace(n *node, v event.Value) *failure {
	for _, all := range n.allOf {
		if f := e.node(all, v); f != nil {
			return f
		}
	}
	if len(n.anyOf) > 0 && !slices.ContainsFunc(n.anyOf, func(one *node) bool { return e.accepts(one, v) }) {
		return e.fail("anyOf", "")
	}
	if len(n.oneOf) > 0 {
		found := 0
		for _, one := range n.oneOf {
			if e.accepts(one, v) {
				found++
			}
		}
		switch {
		case found == 0:
			return e.fail("oneOf", "none of the alternatives fits")
		case found > 1:
			return e.fail("oneOf", "several alternatives fit")
		}
	}
	if n.not != nil && e.accepts(n.not, v) {
		return e.fail("not", "")
	}
	if c := n.condition; c != nil {
		then := c.otherwise
		if e.accepts(c.when, v) {
			then = c.then
		}
		if then != nil {
			return e.node(then, v)
		}
	}
	return nil
}

// has reports whether a value is of one of the types.
func (t kinds) has(v event.Value) bool {
	if t&ofKind(v.Kind()) == 0 {
		return false
	}
	return v.Kind() != event.Number || t&whole == 0 || isWhole(v)
}

// mismatch says of which type a value is and of which it should be.
func (e *evaluation) mismatch(want kinds, v event.Value) string {
	if e.quiet {
		return ""
	}
	if v.Kind() == event.Number && want&ofKind(event.Number) != 0 {
		return "not a whole number"
	}
	return v.Kind().String() + " instead of " + want.String()
}

// String returns the kinds as "a string or null".
func (t kinds) String() string {
	var names []string
	for k := event.Bool; k <= event.Object; k++ {
		switch {
		case t&ofKind(k) == 0:
		case k == event.Number && t&whole != 0:
			names = append(names, "a whole number")
		default:
			names = append(names, k.String())
		}
	}
	if t&ofKind(event.Null) != 0 {
		names = append(names, event.Null.String())
	}
	if last := len(names) - 1; last > 0 {
		return strings.Join(names[:last], ", ") + " or " + names[last]
	}
	return strings.Join(names, "")
}

// isOneOf reports whether a value is in the enum of a node.
func (e *evaluation) isOneOf(n *node, v event.Value) bool {
	if v.Kind() == event.String {
		return n.texts[v.Text()]
	}
	return slices.ContainsFunc(n.enum, func(one event.Value) bool { return e.equal(one, v) })
}

// violation returns the failure with its path as rules write it.
func (f *failure) violation() *event.Violation {
	if f == nil {
		return nil
	}
	return &event.Violation{Path: strings.TrimPrefix(f.path, "."), Keyword: f.keyword, Detail: f.detail}
}
