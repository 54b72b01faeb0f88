package expr

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/suggest"
)

// Template is a text with holes, such as "{{ alert.title }}", whose expressions read one
// object and no event. It is safe for concurrent use.
type Template struct{ segments Text }

// object is the root of a Template's expressions.
type object struct {
	name    string
	members []string
}

// CompileTemplate compiles a text for an object called name that has at most these
// members. Its error names every fault.
func CompileTemplate(source, name string, members []string) (*Template, error) {
	c := &Compiler{Zone: time.UTC, object: &object{name, members}, NextSlot: new(int)}
	t := &Template{c.Text(source)}
	var faults []string
	for _, p := range c.Problems {
		if !p.Warning {
			faults = append(faults, fmt.Sprintf("%s (character %d)", p.Message, p.At+1))
		}
	}
	if len(faults) > 0 {
		return nil, errors.New(strings.Join(faults, "; "))
	}
	return t, nil
}

// ErrBudget is the error of a template that takes more than MaxSteps.
var ErrBudget = fmt.Errorf("it takes more than %d steps", calc.MaxSteps)

// Text evaluates the holes: the source's own text is literals, theirs is values.
func (t *Template) Text(v event.Value) (text alert.Text, err error) {
	s, within := t.scope(v, &err)
	defer within()
	for _, seg := range t.segments {
		if seg.hole == nil {
			text = append(text, alert.Part{Text: seg.literal})
			continue
		}
		text = append(text, alert.Part{Text: calc.DisplayAll(&s.Meter, seg.hole.Eval(s)), Value: true})
	}
	return text, nil
}

// Value evaluates a template that is one hole and nothing else; ok is false for others.
func (t *Template) Value(v event.Value) (result event.Value, ok bool, err error) {
	if len(t.segments) != 1 || t.segments[0].hole == nil {
		return event.Value{}, false, nil
	}
	s, within := t.scope(v, &err)
	defer within()
	return t.segments[0].hole.Eval(s), true, nil
}

// scope returns the scope of an evaluation, and what turns its OverBudget into an error.
func (t *Template) scope(v event.Value, err *error) (s *Scope, within func()) {
	s = &Scope{Event: &event.Event{Doc: v}, Meter: calc.Meter{Limit: calc.MaxSteps}}
	return s, func() {
		if s.Spent <= s.Limit {
			return // a panic is not OverBudget
		}
		if v := recover(); v != any(calc.OverBudget{}) {
			panic(v)
		}
		*err = ErrBudget
	}
}

// member compiles a path that begins at the object.
func (o *object) member(c *Compiler, root *ast.IdentifierNode, names []string) Value {
	if root.Value != o.name {
		if s := suggest.Closest(root.Value, []string{o.name}); s != "" {
			return c.fault(root, "unknown name %s: did you mean %s?", root.Value, s)
		}
		return c.fault(root, "unknown name %s: the expressions here read %s, such as %s.%s", root.Value, o.name, o.name, o.members[0])
	}
	if len(names) > 0 && !slices.Contains(o.members, names[0]) {
		if s := suggest.Closest(names[0], o.members); s != "" {
			return c.fault(root, "unknown name %s.%s: did you mean %s.%s?", o.name, names[0], o.name, s)
		}
		return c.fault(root, "unknown name %s.%s; %s has %s", o.name, names[0], o.name, strings.Join(o.members, ", "))
	}
	return follow(func(s *Scope) event.Value { return s.Event.Doc }, names)
}
