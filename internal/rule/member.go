package rule

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

// roots are the names that an expression starts from.
var roots = []string{"event", "meta", "ce", "vars"}

// words are the language's words for those of other languages.
var words = map[string]string{"null": "nil", "none": "nil", "undefined": "nil", "true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}

// member compiles event.a.b, meta.topic, vars.x, #.y and indexes.
func (c *compiler) member(n ast.Node) value {
	names, base, rest := tree.Unfold(n)
	switch base := base.(type) {
	case *ast.IdentifierNode:
		return c.rooted(base, names, rest)
	case *ast.PointerNode:
		if base.Name != "" {
			return c.fault(base, "#%s is not supported", base.Name)
		}
		at := c.depth - 1
		return c.indexes(follow(func(s *scope) event.Value { return s.elements[at] }, names), rest)
	default:
		return c.indexes(follow(c.value(base), names), rest)
	}
}

// indexes compiles the properties that follow the constant names.
func (c *compiler) indexes(eval value, properties []ast.Node) value {
	for _, p := range properties {
		base, key := eval, c.value(p)
		eval = func(s *scope) event.Value { return s.Index(base(s), key(s)) }
	}
	return eval
}

// follow compiles a path of constant names below eval.
func follow(eval value, names []string) value {
	switch len(names) {
	case 0:
		return eval
	case 1:
		name := names[0]
		return func(s *scope) event.Value { return s.Member(eval(s), name) }
	}
	return func(s *scope) event.Value {
		v := eval(s)
		for _, name := range names {
			v = s.Member(v, name)
		}
		return v
	}
}

func (c *compiler) rooted(root *ast.IdentifierNode, names []string, rest []ast.Node) value {
	if c.scanner != nil && root.Value != "vars" {
		return c.indexes(c.scanned(root.Value, names), rest)
	}
	if c.object != nil {
		return c.indexes(c.object.member(c, root, names), rest)
	}
	var eval value
	switch root.Value {
	case "event":
		c.paths = append(c.paths, names)
		eval = follow(func(s *scope) event.Value { return s.ev.Doc }, names)
	case "ce":
		eval = follow(func(s *scope) event.Value { return s.ev.CE }, names)
	case "vars":
		c.usedVars = append(c.usedVars, append(names, "")[0])
		v := c.vars.Lookup(names...)
		if v.Kind() == event.Missing {
			return c.unknownVar(root, names)
		}
		eval = constant(v)
	case "meta":
		eval = c.meta(root, names)
	default:
		if s := suggest.Closest(root.Value, roots); s != "" {
			return c.fault(root, "unknown name %s: did you mean %s?", root.Value, s)
		}
		if word := words[strings.ToLower(root.Value)]; word != "" {
			return c.fault(root, "unknown name %s: write %s", root.Value, word)
		}
		return c.fault(root, "unknown name %s: write a field of the event as event.%s", root.Value, root.Value)
	}
	return c.indexes(eval, rest)
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
	return c.fault(root, "vars.%s is not defined", name)
}

var metaNames = []string{"topic", "partition", "offset", "key", "time", "id", "type", "schema_id", "headers"}

func (c *compiler) meta(root ast.Node, names []string) value {
	if len(names) == 0 || !slices.Contains(metaNames, names[0]) {
		name := strings.Join(names, ".")
		if s := suggest.Closest(name, metaNames); s != "" {
			return c.fault(root, "unknown name meta.%s: did you mean meta.%s?", name, s)
		}
		return c.fault(root, "unknown name; meta has %s", strings.Join(metaNames, ", "))
	}
	var eval value
	switch names[0] {
	case "topic":
		eval = func(s *scope) event.Value { return event.StringValue(s.ev.Record.Topic) }
	case "partition":
		eval = func(s *scope) event.Value { return event.NumberValue(float64(s.ev.Record.Partition)) }
	case "offset":
		eval = func(s *scope) event.Value { return event.NumberValue(float64(s.ev.Record.Offset)) }
	case "key":
		eval = func(s *scope) event.Value {
			s.SpendText(len(s.ev.Record.Key))
			return text(s.ev.Record.Key)
		}
	case "time":
		eval = func(s *scope) event.Value {
			return event.StringValue(s.ev.Time.UTC().Format(time.RFC3339Nano))
		}
	case "id":
		eval = func(s *scope) event.Value { return orMissing(s.ev.ID) }
	case "type":
		eval = func(s *scope) event.Value { return orMissing(s.ev.Type) }
	case "schema_id":
		eval = func(s *scope) event.Value {
			if s.ev.SchemaID == 0 {
				return event.Value{}
			}
			return event.NumberValue(float64(s.ev.SchemaID))
		}
	case "headers":
		eval = headers
	}
	return follow(eval, names[1:])
}

// headers returns meta.headers, which it builds once per scope.
func headers(s *scope) event.Value {
	c := s.caches()
	if c.headers.Kind() == event.Missing {
		members := make([]event.Value, len(s.ev.Record.Headers))
		for i, h := range s.ev.Record.Headers {
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
