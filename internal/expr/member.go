package expr

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/tree"
	"github.com/algotrade/notifier/internal/suggest"
)

// Roots are the names that an expression starts from.
var Roots = []string{"event", "meta", "ce", "vars"}

// words are the language's words for those of other languages.
var words = map[string]string{"null": "nil", "none": "nil", "undefined": "nil", "true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}

// member compiles event.a.b, meta.topic, vars.x, #.y and indexes.
func (c *Compiler) member(n ast.Node) Value {
	names, base, rest := tree.Unfold(n)
	switch base := base.(type) {
	case *ast.IdentifierNode:
		return c.rooted(base, names, rest)
	case *ast.PointerNode:
		if base.Name != "" {
			return c.fault(base, "#%s is not supported", base.Name)
		}
		at := c.Depth - 1
		return c.indexes(follow(func(s *Scope) event.Value { return s.Elements[at] }, names), rest)
	default:
		return c.indexes(follow(c.Value(base), names), rest)
	}
}

// indexes compiles the properties that follow the constant names.
func (c *Compiler) indexes(eval Value, properties []ast.Node) Value {
	for _, p := range properties {
		base, key := eval, c.Value(p)
		eval = func(s *Scope) event.Value { return s.Index(base(s), key(s)) }
	}
	return eval
}

// follow compiles a path of constant names below eval.
func follow(eval Value, names []string) Value {
	switch len(names) {
	case 0:
		return eval
	case 1:
		name := names[0]
		return func(s *Scope) event.Value { return s.Member(eval(s), name) }
	}
	return func(s *Scope) event.Value {
		v := eval(s)
		for _, name := range names {
			v = s.Member(v, name)
		}
		return v
	}
}

func (c *Compiler) rooted(root *ast.IdentifierNode, names []string, rest []ast.Node) Value {
	if c.Scanner != nil && root.Value != "vars" {
		return c.indexes(c.scanned(root.Value, names), rest)
	}
	if c.object != nil {
		return c.indexes(c.object.member(c, root, names), rest)
	}
	var eval Value
	switch root.Value {
	case "event":
		c.Paths = append(c.Paths, names)
		eval = follow(func(s *Scope) event.Value { return s.Event.Doc }, names)
	case "ce":
		eval = follow(func(s *Scope) event.Value { return s.Event.CE }, names)
	case "vars":
		c.UsedVars = append(c.UsedVars, append(names, "")[0])
		v := c.Vars.Lookup(names...)
		if v.Kind() == event.Missing {
			return c.unknownVar(root, names)
		}
		eval = constant(v)
	case "meta":
		eval = c.meta(root, names)
	default:
		if s := suggest.Closest(root.Value, Roots); s != "" {
			return c.fault(root, "unknown name %s: did you mean %s?", root.Value, s)
		}
		if word := words[strings.ToLower(root.Value)]; word != "" {
			return c.fault(root, "unknown name %s: write %s", root.Value, word)
		}
		return c.fault(root, "unknown name %s: write a field of the event as event.%s", root.Value, root.Value)
	}
	return c.indexes(eval, rest)
}

func (c *Compiler) unknownVar(root ast.Node, names []string) Value {
	var known []string
	for i := range c.Vars.Len() {
		known = append(known, c.Vars.At(i).Name())
	}
	name := strings.Join(names, ".")
	if s := suggest.Closest(name, known); s != "" {
		return c.fault(root, "vars.%s is not defined: did you mean vars.%s?", name, s)
	}
	return c.fault(root, "vars.%s is not defined", name)
}

var metaNames = []string{"topic", "partition", "offset", "key", "time", "id", "type", "schema_id", "headers"}

func (c *Compiler) meta(root ast.Node, names []string) Value {
	if len(names) == 0 || !slices.Contains(metaNames, names[0]) {
		name := strings.Join(names, ".")
		if s := suggest.Closest(name, metaNames); s != "" {
			return c.fault(root, "unknown name meta.%s: did you mean meta.%s?", name, s)
		}
		return c.fault(root, "unknown name; meta has %s", strings.Join(metaNames, ", "))
	}
	var eval Value
	switch names[0] {
	case "topic":
		eval = func(s *Scope) event.Value { return event.StringValue(s.Event.Record.Topic) }
	case "partition":
		eval = func(s *Scope) event.Value { return event.NumberValue(float64(s.Event.Record.Partition)) }
	case "offset":
		eval = func(s *Scope) event.Value { return event.NumberValue(float64(s.Event.Record.Offset)) }
	case "key":
		eval = func(s *Scope) event.Value {
			s.SpendText(len(s.Event.Record.Key))
			return text(s.Event.Record.Key)
		}
	case "time":
		eval = func(s *Scope) event.Value {
			return event.StringValue(s.Event.Time.UTC().Format(time.RFC3339Nano))
		}
	case "id":
		eval = func(s *Scope) event.Value { return orMissing(s.Event.ID) }
	case "type":
		eval = func(s *Scope) event.Value { return orMissing(s.Event.Type) }
	case "schema_id":
		eval = func(s *Scope) event.Value {
			if s.Event.SchemaID == 0 {
				return event.Value{}
			}
			return event.NumberValue(float64(s.Event.SchemaID))
		}
	case "headers":
		eval = headers
	}
	return follow(eval, names[1:])
}

// headers returns meta.headers, which it builds once per scope.
func headers(s *Scope) event.Value {
	c := s.caches()
	if c.headers.Kind() == event.Missing {
		members := make([]event.Value, len(s.Event.Record.Headers))
		for i, h := range s.Event.Record.Headers {
			members[i] = event.Member(h.Name, text(h.Value))
		}
		c.headers = event.ObjectValue(members)
	}
	return c.headers
}

// text converts a record's key or header value to a string; nil is missing.
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
