package rule

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Surroundings are what a file of rules is checked against.
type Surroundings struct {
	// Channels are the configured channels; nil when they are not known: then
	// any name may be one.
	Channels []string
	// Samples are decoded events whose fields are known to exist; a path that
	// is in none is a warning.
	Samples []Sample
}

// Sample is an event with its name.
type Sample struct {
	Name  string
	Event event.Event
}

// Compile reads a file of rules. It returns every fault there is; with one
// that is not a warning the set is nil.
func Compile(file string, data []byte, with Surroundings) (*Set, yamldoc.Faults) {
	b := &builder{with: with, set: &Set{byTopic: make(map[string][]*guarded), steps: MaxSteps}, slots: new(int)}
	faults := yamldoc.Decode(file, "", data, &b.doc)
	if len(faults.Errors()) == 0 || b.doc.at != (yamldoc.Cursor{}) {
		faults = append(faults, b.build()...)
		faults.Sort()
	}
	if len(faults.Errors()) > 0 {
		return nil, faults
	}
	return b.set, faults
}

// CheckYAML implements yamldoc.Checker.
func (d *document) CheckYAML(at yamldoc.Cursor) {
	d.at = at
	if d.Version == 0 {
		at.Field("version").Fault("is missing: write version: 1")
	}
	for name := range d.Defaults {
		if _, err := topics.Parse(name); err != nil {
			at.Field("defaults").Field(name).Fault("%v", err)
		}
	}
}

var ruleName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// CheckYAML implements yamldoc.Checker.
func (e *entry) CheckYAML(at yamldoc.Cursor) {
	e.at = at
	if !at.IsMapping() && !at.IsNull() {
		return // that is said already
	}
	switch {
	case e.Name == "":
		at.Field("name").Fault("is missing")
	case !ruleName.MatchString(e.Name) || len(e.Name) > 64:
		at.Field("name").Fault("%q is not a rule's name: small letters, digits and single hyphens, 64 at most", e.Name)
	}
	for _, key := range []string{"when", "title", "to"} {
		if !at.Has(key) {
			at.Field(key).Fault("is missing")
		}
	}
	for name, d := range map[string]time.Duration{"throttle": e.Throttle, "expire": e.Expire} {
		if d < 0 {
			at.Field(name).Fault("%s is negative", d)
		}
	}
	if e.Runbook != "" && alert.Link(e.Runbook) == "" {
		at.Field("runbook").Fault("is not a web address: write it with https://, without spaces, <, > and |")
	}
}

// builder compiles a document that could be read.
type builder struct {
	with   Surroundings
	doc    document
	set    *Set
	faults yamldoc.Faults
	// read are the paths that each topic's expressions read; nil: all of it.
	read  map[topics.Name][][]string
	slots *int // of the compilers
}

func (b *builder) build() yamldoc.Faults {
	if b.doc.Timezone.Location == nil {
		b.doc.Timezone.Location = time.UTC
	}
	b.read = make(map[topics.Name][][]string)
	b.routes()
	where := make(map[string]*expression)
	for name, d := range b.doc.Defaults {
		if d.Where == nil {
			continue
		}
		if topic, err := topics.Parse(name); err == nil {
			e := b.expression(*d.Where, []topics.Name{topic})
			where[name] = &e
		}
	}
	names := make(map[string]int)
	for i := range b.doc.Rules {
		e := &b.doc.Rules[i]
		if first, twice := names[e.Name]; twice && e.Name != "" {
			b.fault(e.at.Field("name").Pos(), "%q is the name of another rule too, in line %d", e.Name, first)
		}
		names[e.Name] = e.at.Field("name").Pos().Line
		b.rule(e, where)
	}
	b.set.reads = b.reads()
	return b.faults
}

func (b *builder) fault(at yamldoc.Pos, format string, args ...any) {
	b.faults = append(b.faults, yamldoc.NewFault(at, false, fmt.Sprintf(format, args...)))
}

func (b *builder) rule(e *entry, where map[string]*expression) {
	r := &rule{name: e.Name, topics: e.Topic, throttle: e.Throttle, expire: e.Expire, runbook: e.Runbook}
	if len(r.topics) == 0 {
		r.topics = topics.All()
	}
	if e.When.Pos.Line > 0 {
		r.when = b.expression(e.When, r.topics)
	}
	if e.Where != nil {
		own := b.expression(*e.Where, r.topics)
		r.where = &own
	}
	b.severity(e, r)
	for _, k := range e.Key {
		r.key = append(r.key, b.expression(k, r.topics))
	}
	r.title = b.template(e.Title, r.topics)
	r.text = b.template(e.Text, r.topics)
	for _, f := range e.Fields {
		r.fields = append(r.fields, b.field(f, r.topics))
	}
	b.channels(e, r)
	b.set.rules = append(b.set.rules, r)
	for _, topic := range r.topics {
		g := &guarded{rule: r}
		switch {
		case r.where != nil:
			g.where = r.where.test
		case where[string(topic)] != nil:
			g.where = where[string(topic)].test
		}
		b.set.byTopic[string(topic)] = append(b.set.byTopic[string(topic)], g)
	}
	if len(b.faults.Errors()) == 0 && e.When.Pos.Line > 0 {
		b.tryTexts(e, r)
	}
}

// severity is a word, or a conditional whose every branch is one.
func (b *builder) severity(e *entry, r *rule) {
	fixed := func(s alert.Severity) {
		r.severity = func(*scope) alert.Severity { return s }
		r.yields = []alert.Severity{s}
	}
	if e.Severity == nil {
		fixed(alert.Warning)
		return
	}
	word := alert.Severity(strings.TrimSpace(e.Severity.Value))
	if word.Rank() > 0 {
		fixed(word)
		return
	}
	fixed(alert.Warning)
	if s := suggest.Closest(string(word), severityNames()); s != "" {
		b.fault(e.Severity.Pos, "%q is not a severity: did you mean %s?", word, s)
		return
	}
	tree, err := parser.Parse(e.Severity.Value)
	if err != nil {
		b.expression(*e.Severity, r.topics) // reports it
		return
	}
	branches, ok := branches(tree.Node)
	if !ok {
		b.fault(e.Severity.Pos, `write info, warning or critical, or a conditional that yields them: event.x > 5 ? "critical" : "warning"`)
		return
	}
	for _, s := range alert.Severities() {
		if slices.Contains(branches, s) {
			branches = append(slices.DeleteFunc(branches, func(other alert.Severity) bool { return other == s }), s)
		}
	}
	of := b.expression(*e.Severity, r.topics)
	r.yields = branches
	r.severity = func(on *scope) alert.Severity { return alert.Severity(of.eval(on).Text()) }
}

func branches(n ast.Node) ([]alert.Severity, bool) {
	switch n := n.(type) {
	case *ast.ConditionalNode:
		a, aok := branches(n.Exp1)
		b, bok := branches(n.Exp2)
		return append(a, b...), aok && bok
	case *ast.StringNode:
		s := alert.Severity(n.Value)
		return []alert.Severity{s}, s.Rank() > 0
	}
	return nil, false
}

func (b *builder) field(f fieldEntry, on []topics.Name) field {
	if strings.Contains(f.value.Value, "{{") {
		return field{label: f.label, value: b.template(f.value, on)}
	}
	e := b.expression(f.value, on)
	if f.label == "" {
		f.label = label(f.value.Value)
	}
	return field{label: f.label, value: template{{hole: &e}}}
}

// label makes a label of a path's last name: event.strategy_id is "strategy".
func label(source string) string {
	name := source[strings.LastIndexByte(source, '.')+1:]
	name = strings.TrimSuffix(strings.Trim(name, " )]\"'"), "_id")
	return strings.ReplaceAll(name, "_", " ")
}

func (b *builder) compiler() *compiler {
	return &compiler{vars: b.doc.Vars.value, zone: b.doc.Timezone.Location, slots: b.slots}
}

func (b *builder) expression(s yamldoc.Scalar, on []topics.Name) expression {
	c := b.compiler()
	e := c.compile(s.Value)
	b.take(c, s, on)
	return e
}

func (b *builder) template(s yamldoc.Scalar, on []topics.Name) template {
	c := b.compiler()
	t := c.template(s.Value)
	b.take(c, s, on)
	return t
}

// take reports what the compiler found, at its place in the file, and keeps
// what the expression reads.
func (b *builder) take(c *compiler, s yamldoc.Scalar, on []topics.Name) {
	place := func(at int) yamldoc.Pos {
		pos := s.Pos
		if !strings.Contains(s.Value, "\n") {
			pos.Column += at
		}
		return pos
	}
	for _, p := range c.problems {
		b.faults = append(b.faults, yamldoc.NewFault(place(p.at), p.warning, p.message))
	}
	for _, a := range c.paths {
		for _, topic := range on {
			b.read[topic] = append(b.read[topic], a.path)
		}
		if message := b.unknownPath(a.path, on); message != "" {
			b.faults = append(b.faults, yamldoc.NewFault(place(a.at), true, message))
		}
	}
}

func (b *builder) reads() map[string][]string {
	reads := make(map[string][]string)
	for topic, paths := range b.read {
		var names []string
		whole := false
		for _, path := range paths {
			if len(path) == 0 {
				whole = true
				break
			}
			if !slices.Contains(names, path[0]) {
				names = append(names, path[0])
			}
		}
		if !whole {
			slices.Sort(names)
			reads[string(topic)] = names
		}
	}
	return reads
}
