package eventschema

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/algotrade/notifier/internal/event"
)

// compiler turns the library's schemas into nodes. A schema that refers to itself is
// one node.
type compiler struct {
	nodes map[*jsonschema.Schema]*node
	fault func(at *jsonschema.Schema, format string, args ...any)
}

// maxNodes limits the subschemas of a schema.
const maxNodes = 10_000

// node compiles a schema; nil is nil.
func (c *compiler) node(s *jsonschema.Schema) *node {
	if s == nil {
		return nil
	}
	if n := c.nodes[s]; n != nil {
		return n
	}
	n := new(node)
	if len(c.nodes) == maxNodes {
		c.fault(s, "has more than %d subschemas", maxNodes)
	}
	if c.nodes[s] = n; len(c.nodes) <= maxNodes {
		c.fill(n, s)
	}
	return n
}

// cycles reports schemas that refer to themselves for the same value: checking a value
// would not end.
func (c *compiler) cycles() {
	const open, done = 1, 2
	state := make(map[*node]int)
	var visit func(n *node) bool
	visit = func(n *node) bool {
		switch state[n] {
		case open:
			return true
		case done:
			return false
		}
		state[n] = open
		isCycle := slices.ContainsFunc(n.inPlace(), visit)
		state[n] = done
		return isCycle
	}
	for s, n := range c.nodes {
		if visit(n) {
			c.fault(s, "refers to itself for the same value: checking a value would not end")
			return
		}
	}
}

func (c *compiler) fill(n *node, s *jsonschema.Schema) {
	if s.Bool != nil {
		n.deny, n.trivial = !*s.Bool, *s.Bool
		return
	}
	switch {
	case s.DraftVersion != 2020:
		c.fault(s, "is of draft %s: write it for draft 2020-12, with \"$schema\": \"https://json-schema.org/draft/2020-12/schema\"", draftName(s.DraftVersion))
		return
	case s.DynamicRef != nil:
		c.fault(s, "$dynamicRef is not supported: write $ref")
		return
	}
	if s.Types != nil {
		n.types = compileTypes(s.Types.ToStrings())
	}
	if s.Enum != nil {
		n.setEnum(s.Enum.Values)
	}
	n.examples = values(s.Examples)
	if s.Default != nil {
		n.examples = append(n.examples, value(*s.Default))
	}
	if s.Const != nil {
		only := &node{}
		only.setEnum([]any{*s.Const})
		n.allOf = append(n.allOf, only)
	}
	if s.Ref != nil {
		n.allOf = append(n.allOf, c.node(s.Ref))
	}
	n.allOf = append(n.allOf, c.list(s.AllOf)...)
	n.anyOf, n.oneOf = c.list(s.AnyOf), c.list(s.OneOf)
	n.not = c.node(s.Not)
	if s.If != nil {
		n.condition = &conditional{when: c.node(s.If), then: c.node(s.Then), otherwise: c.node(s.Else)}
	}
	n.object, n.array, n.text, n.number = c.object(s), c.array(s), text(s), numbers(s)
	n.trivial = n.types == 0 && n.enum == nil && len(n.inPlace()) == 0 && n.object == nil && n.array == nil && n.text == nil && n.number == nil
}

func (c *compiler) list(schemas []*jsonschema.Schema) []*node {
	list := make([]*node, 0, len(schemas))
	for _, s := range schemas {
		list = append(list, c.node(s))
	}
	return list
}

func (c *compiler) object(s *jsonschema.Schema) *objectRules {
	o := &objectRules{members: make(map[string]*member), required: s.Required, least: limit(s.MinProperties), most: limit(s.MaxProperties), dependents: s.DependentRequired}
	for name, p := range s.Properties {
		o.members[name] = &member{at: len(o.members), schema: c.node(p)}
	}
	for _, name := range s.Required {
		if o.members[name] == nil {
			o.members[name] = &member{at: len(o.members)}
		}
		o.members[name].isRequired = true
	}
	for re, p := range s.PatternProperties {
		o.patterns = append(o.patterns, pattern{re, c.node(p)})
	}
	slices.SortFunc(o.patterns, func(a, b pattern) int { return strings.Compare(a.name.String(), b.name.String()) })
	switch a := s.AdditionalProperties.(type) {
	case bool:
		o.additional = &node{deny: !a, trivial: a}
	case *jsonschema.Schema:
		o.additional = c.node(a)
	}
	o.names, o.unevaluated = c.node(s.PropertyNames), c.node(s.UnevaluatedProperties)
	if len(s.DependentSchemas) > 0 {
		o.consequences = make(map[string]*node)
		for name, p := range s.DependentSchemas {
			o.consequences[name] = c.node(p)
		}
	}
	if len(o.members) == 0 && o.additional == nil && !o.readsAll() {
		return nil
	}
	return o
}

func (c *compiler) array(s *jsonschema.Schema) *arrayRules {
	a := &arrayRules{
		prefix: c.list(s.PrefixItems), items: c.node(s.Items2020), contains: c.node(s.Contains), unevaluated: c.node(s.UnevaluatedItems),
		leastFound: limit(s.MinContains), mostFound: limit(s.MaxContains), least: limit(s.MinItems), most: limit(s.MaxItems), unique: s.UniqueItems,
	}
	if len(a.prefix) == 0 && a.items == nil && a.contains == nil && a.unevaluated == nil && a.least < 0 && a.most < 0 && !a.unique {
		return nil
	}
	if a.leastFound < 0 {
		a.leastFound = 1
	}
	return a
}

func text(s *jsonschema.Schema) *textRules {
	if s.MinLength == nil && s.MaxLength == nil && s.Pattern == nil && s.Format == nil {
		return nil
	}
	return &textRules{least: limit(s.MinLength), most: limit(s.MaxLength), pattern: s.Pattern, format: s.Format}
}

func numbers(s *jsonschema.Schema) *numberRules {
	if s.Minimum == nil && s.Maximum == nil && s.ExclusiveMinimum == nil && s.ExclusiveMaximum == nil && s.MultipleOf == nil {
		return nil
	}
	return &numberRules{least: float(s.Minimum), most: float(s.Maximum), above: float(s.ExclusiveMinimum), below: float(s.ExclusiveMaximum), multipleOf: s.MultipleOf}
}

func float(r *big.Rat) *float64 {
	if r == nil {
		return nil
	}
	f, _ := r.Float64()
	return &f
}

func limit(n *int) int {
	if n == nil {
		return -1
	}
	return *n
}

func compileTypes(names []string) (t kinds) {
	hasNumber := slices.Contains(names, "number")
	for _, name := range names {
		if k := kindNames[name]; name != "integer" || !hasNumber {
			t |= k
		}
	}
	return t
}

func (n *node) setEnum(list []any) {
	n.enum, n.texts = values(list), make(map[string]bool)
	for _, v := range n.enum {
		if v.Kind() == event.String {
			n.texts[v.Text()] = true
		}
	}
}

func values(list []any) []event.Value {
	out := make([]event.Value, len(list))
	for i, v := range list {
		out[i] = value(v)
	}
	return out
}

// value returns a JSON value of a schema as one of an event.
func value(v any) event.Value {
	switch v := v.(type) {
	case bool:
		return event.BoolValue(v)
	case string:
		return event.StringValue(v)
	case json.Number:
		f, _ := strconv.ParseFloat(string(v), 64)
		return event.LiteralValue(string(v), f)
	case []any:
		return event.ArrayValue(values(v))
	case map[string]any:
		var members []event.Value
		for name, m := range v {
			members = append(members, event.Member(name, value(m)))
		}
		return event.ObjectValue(members)
	}
	return event.NullValue()
}

func draftName(version int) string {
	switch version {
	case 2019:
		return "2019-09"
	case 4, 6, 7:
		return fmt.Sprintf("%02d", version)
	}
	return strconv.Itoa(version)
}
