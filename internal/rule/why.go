package rule

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/topics"
)

// Why says why a rule raises no alert for an event; "" if it does.
func (s *Set) Why(name string, ev *event.Event, now time.Time) string {
	var names []string
	for _, r := range s.rules {
		if r.name == name {
			return s.why(r, ev, now)
		}
		names = append(names, r.name)
	}
	if near := suggest.Closest(name, names); near != "" {
		return "there is no such rule; did you mean " + near + "?"
	}
	return "there is no such rule"
}

func (s *Set) why(r *rule, ev *event.Event, now time.Time) string {
	if !slices.Contains(r.topics, topics.Name(ev.Record.Topic)) {
		return fmt.Sprintf("it is of %s, the event of %s", strings.ReplaceAll(joinTopics(r.topics), ", ", " and "), ev.Record.Topic)
	}
	i := slices.IndexFunc(s.byTopic[ev.Record.Topic], func(t *topicRule) bool { return t.rule == r })
	t := s.byTopic[ev.Record.Topic][i]
	for _, condition := range []struct {
		name string
		expression
	}{{"when", r.when}, {"where", deref(t.where)}} {
		if condition.test == nil {
			continue
		}
		for _, part := range joined(condition.node, "and") {
			if !s.eval(part, ev, now).Bool() {
				return fmt.Sprintf("its %s is false: %s%s", condition.name, source(part), s.operands(part, ev, now))
			}
		}
	}
	return ""
}

// eval evaluates a part of a condition.
func (s *Set) eval(n ast.Node, ev *event.Event, now time.Time) event.Value {
	return (&compiler{vars: s.vars, zone: s.zone}).value(n)(&scope{ev: ev, now: now})
}

// operands returns the values of what a comparison compares, except literals.
func (s *Set) operands(n ast.Node, ev *event.Event, now time.Time) string {
	if not, ok := n.(*ast.UnaryNode); ok {
		n = not.Node
	}
	b, ok := n.(*ast.BinaryNode)
	if !ok || isJoin(b, "or") {
		return ""
	}
	var values []string
	for _, side := range []ast.Node{b.Left, b.Right} {
		if isFixed(side, false) {
			continue
		}
		v := s.eval(side, ev, now)
		text := quote(v)
		switch {
		case isAbsent(v):
			text = "missing"
		case v.Kind() >= event.Array:
			text = shorten(display(v))
		}
		values = append(values, source(side)+" is "+text)
	}
	return ", where " + strings.Join(values, " and ")
}

func deref(e *expression) expression {
	if e == nil {
		return expression{}
	}
	return *e
}
