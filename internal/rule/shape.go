package rule

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/expr/tree"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/topics"
)

// Shape is what is known of a topic's events besides samples.
type Shape struct {
	Schema Schema // nil: none
	Strict bool   // faults of types and paths are errors
}

// Schema is a schema of a topic's events.
type Schema interface {
	// Examples returns documents that have all members that the schema names, with values
	// of the types that it allows.
	Examples() []event.Value
	// Texts returns the texts that it allows at a path, if it lists them.
	Texts(path ...string) []string
}

// addShapes adds what is known of the topics to their samples: the examples of a schema
// are instances that no rule matches.
func (b *builder) addShapes(ex *examples, sampled map[topics.Name]bool) {
	ex.complete = true
	for _, topic := range ex.topics {
		shape := b.env.Shapes[topic]
		ex.strict = ex.strict || shape.Strict
		if shape.Schema == nil {
			ex.schemas = append(ex.schemas, nil)
			ex.complete = ex.complete && sampled[topic]
			continue
		}
		ex.schemas = append(ex.schemas, shape.Schema)
		ex.described = true
		if b.documents == nil {
			b.documents = make(map[topics.Name][]event.Value)
		}
		if b.documents[topic] == nil {
			b.documents[topic] = shape.Schema.Examples()
		}
		now := time.Now()
		for _, doc := range b.documents[topic] {
			ev := &event.Event{Record: event.Record{Topic: string(topic)}, Doc: doc, Time: now}
			ex.list = append(ex.list, instance{scope: &scope{ev: ev, now: now}, ofSchema: true})
		}
	}
}

// warnType warns of a fault that follows from the samples and the schema.
func (c *compiler) warnType(n ast.Node, format string, args ...any) {
	c.warn(n, format, args...)
	c.problems[len(c.problems)-1].ofTypes = true
}

// listed returns the texts that the schemas of all topics allow for a field; nil: a
// topic has no schema that lists them, or the node is no field.
func (c *compiler) listed(field ast.Node) []string {
	names, base, rest := tree.Unfold(field)
	if root, ok := base.(*ast.IdentifierNode); !ok || root.Value != "event" || len(names) == 0 || rest != nil {
		return nil
	}
	var all []string
	for _, s := range c.examples.schemas {
		if s == nil {
			return nil
		}
		texts := s.Texts(names...)
		if texts == nil {
			return nil
		}
		all = append(all, texts...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// unlisted warns of constant texts that a field never has, according to the schema.
func (c *compiler) unlisted(constants, field ast.Node, listed []string) {
	for _, text := range c.literals(constants) {
		if slices.Contains(listed, text.value) {
			continue
		}
		names := strings.Join(listed[:min(len(listed), namedTexts)], ", ")
		if more := len(listed) - namedTexts; more > 0 {
			names += fmt.Sprintf(" and %d more", more)
		}
		message := fmt.Sprintf("%q is none of the values of %s in the schema: ", text.value, tree.Source(field))
		if near := suggest.Closest(text.value, listed); near != "" {
			message += fmt.Sprintf("did you mean %q?", near)
		} else {
			message += names
		}
		c.warnType(text.node, "%s", message)
	}
}

// namedTexts is the number of texts of a schema that a warning names.
const namedTexts = 8

// Where values are known from.
const inSamples, inSchema = "in the samples", "in the schema"

// place says where values of a node are known from.
func (c *compiler) place(n ast.Node, at []instance) string {
	if !c.examples.described {
		return inSamples
	}
	for i, v := range c.observe(n, at) {
		if !calc.IsAbsent(v) && !at[i].ofSchema {
			return inSamples
		}
	}
	return inSchema
}
