package eventschema

import (
	"math/big"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/algotrade/notifier/internal/event"
)

// node is one compiled subschema. Its parts are nil if it has none of their keywords.
type node struct {
	deny  bool  // the schema false
	types kinds // 0: any
	enum  []event.Value
	// texts are the texts of the enum.
	texts map[string]bool

	allOf, anyOf, oneOf []*node // $ref is in allOf
	not                 *node
	condition           *conditional

	object *objectRules
	array  *arrayRules
	text   *textRules
	number *numberRules

	examples []event.Value // of the keywords const, examples and default
	trivial  bool          // every value is valid
}

type conditional struct{ when, then, otherwise *node }

// objectRules are the keywords for objects; limits are -1 without one.
type objectRules struct {
	members      map[string]*member
	required     []string
	patterns     []pattern
	additional   *node // nil: not limited
	names        *node // of the members
	least, most  int
	dependents   map[string][]string // required if a member is there
	consequences map[string]*node    // for the object if a member is there
	unevaluated  *node
}

// member is what properties and required say of a name.
type member struct {
	at         int   // its number among the members
	schema     *node // nil: any
	isRequired bool
}

type pattern struct {
	name   jsonschema.Regexp
	schema *node
}

type arrayRules struct {
	prefix                []*node
	items                 *node
	contains              *node
	leastFound, mostFound int // that contains finds
	least, most           int
	unique                bool
	unevaluated           *node
}

type textRules struct {
	least, most int // characters
	pattern     jsonschema.Regexp
	format      *jsonschema.Format
}

type numberRules struct {
	least, most  *float64
	above, below *float64
	multipleOf   *big.Rat
}

// kinds is a set of JSON types; whole is set for integer without number.
type kinds uint8

const whole kinds = 1

func ofKind(k event.Kind) kinds { return 1 << k }

var kindNames = map[string]kinds{
	"null": ofKind(event.Null), "boolean": ofKind(event.Bool), "number": ofKind(event.Number), "integer": ofKind(event.Number) | whole,
	"string": ofKind(event.String), "array": ofKind(event.Array), "object": ofKind(event.Object),
}

// inPlace returns the subschemas that are for the same value.
func (n *node) inPlace() []*node {
	list := append(append(append([]*node(nil), n.allOf...), n.anyOf...), n.oneOf...)
	if n.not != nil {
		list = append(list, n.not)
	}
	if c := n.condition; c != nil {
		for _, in := range []*node{c.when, c.then, c.otherwise} {
			if in != nil {
				list = append(list, in)
			}
		}
	}
	if n.object != nil {
		for _, in := range n.object.consequences {
			list = append(list, in)
		}
	}
	return list
}

func (n *node) isTrivial() bool { return n.trivial }

// isOnlyType reports whether a node has no keyword for arrays and objects but type.
func (n *node) isOnlyType() bool {
	return !n.deny && len(n.enum) == 0 && n.object == nil && n.array == nil && len(n.inPlace()) == 0
}

// readsAll reports whether the keywords look at members that they do not name.
func (o *objectRules) readsAll() bool {
	return len(o.patterns) > 0 || o.additional != nil && !o.additional.isTrivial() || o.names != nil || o.least >= 0 || o.most >= 0 ||
		len(o.dependents) > 0 || len(o.consequences) > 0 || o.unevaluated != nil
}
